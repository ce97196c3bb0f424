-- A multi-tenant shop, with the things that make real schemas hard to copy and to mask.
-- Plain SQL, one transaction: it loads whole or not at all. The role needs to own the database (or have CREATE on it
-- and on schema public); the extensions are trusted ones, so no superuser is needed.
BEGIN;

SET LOCAL client_min_messages = warning;

CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA public;
CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA public;

CREATE SCHEMA billing;
CREATE SCHEMA audit;
CREATE SCHEMA reporting;
CREATE SCHEMA "Legacy";

COMMENT ON SCHEMA billing IS 'Invoices, payments and what is needed to collect them.';
COMMENT ON SCHEMA "Legacy" IS 'Tables of the shop system that was replaced in 2021. Read only.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Types

CREATE TYPE public.customer_status AS ENUM ('lead', 'active', 'paused', 'closed');
CREATE TYPE public.order_status AS ENUM ('cart', 'placed', 'paid', 'packed', 'shipped', 'delivered', 'returned', 'cancelled');
CREATE TYPE public.ticket_priority AS ENUM ('low', 'normal', 'high', 'urgent');

CREATE DOMAIN public.email_address AS varchar(80)
    CONSTRAINT email_address_form CHECK (VALUE ~ '^[^@[:space:]]+@[^@[:space:]]+\.[A-Za-z]{2,}$');
CREATE DOMAIN public.postal_code AS varchar(10)
    CONSTRAINT postal_code_form CHECK (VALUE ~ '^[0-9A-Z][0-9A-Z -]{2,9}$');
CREATE DOMAIN public.positive_amount AS numeric(12, 2)
    CONSTRAINT positive_amount_sign CHECK (VALUE >= 0);

CREATE TYPE public.postal_address AS (
    line1 text,
    city text,
    postal_code text,
    country char(2)
);
CREATE TYPE public.dimensions AS (width_mm int, height_mm int, depth_mm int);
CREATE TYPE public.contact_person AS (full_name text, relation text, phone text);

-- ---------------------------------------------------------------------------------------------------------------------
-- Functions used by tables, indexes and triggers. All names qualified: a restore runs with an empty search_path.

CREATE FUNCTION public.digits_of(value text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT pg_catalog.regexp_replace(value, '[^0-9]', '', 'g') $$;
COMMENT ON FUNCTION public.digits_of(text) IS 'The digits of a phone number, for searching.';

CREATE FUNCTION public.set_updated_at() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    NEW.updated_at := pg_catalog.now();
    RETURN NEW;
END
$$;

-- ---------------------------------------------------------------------------------------------------------------------
-- Sequences that no column owns

CREATE SEQUENCE public.order_number_seq START WITH 1000;
CREATE SEQUENCE billing.invoice_number_seq AS int CACHE 5;
CREATE SEQUENCE public.event_id_seq;
CREATE SEQUENCE public.ticket_id_seq;

-- ---------------------------------------------------------------------------------------------------------------------
-- public: tenants and people who work here

CREATE TABLE public.tenants (
    id int PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text NOT NULL,
    plan text NOT NULL DEFAULT 'standard' CHECK (plan IN ('free', 'standard', 'enterprise')),
    settings jsonb NOT NULL DEFAULT '{}',
    trial interval NOT NULL DEFAULT interval '30 days',
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE public.tenants IS 'One row per company that sells through the shop.';

CREATE TABLE public.countries (
    code char(2) PRIMARY KEY,
    name text NOT NULL,
    currency char(3) NOT NULL,
    vat_rate numeric(4, 3) NOT NULL CHECK (vat_rate BETWEEN 0 AND 1)
);

-- teams and employees refer to each other: the keys are checked at commit.
CREATE TABLE public.teams (
    id serial PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES public.tenants (id),
    name text NOT NULL,
    lead_id int,
    UNIQUE (tenant_id, name)
);

CREATE TABLE public.employees (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES public.tenants (id),
    team_id int NOT NULL,
    manager_id int REFERENCES public.employees (id),
    username varchar(32) NOT NULL UNIQUE,
    full_name text NOT NULL,
    work_email public.email_address NOT NULL UNIQUE,
    private_email varchar(60) CHECK (private_email LIKE '%@%'),
    phone varchar(24),
    ssn char(11) NOT NULL UNIQUE CONSTRAINT employees_ssn_form CHECK (ssn ~ '^\d{3}-\d{2}-\d{4}$'),
    born_on date NOT NULL,
    hired_on date NOT NULL,
    left_on date,
    salary numeric(10, 2),
    bank_account varchar(34),
    skills text[] NOT NULL DEFAULT '{}',
    private_numbers text[],
    emergency_contact public.contact_person,
    photo bytea,
    password_hash text NOT NULL,
    badge bit(16) NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT employees_born_before_hired CHECK (born_on < hired_on),
    CONSTRAINT employees_hired_before_left CHECK (left_on IS NULL OR hired_on <= left_on),
    CONSTRAINT employees_no_self_management CHECK (manager_id <> id)
);
COMMENT ON COLUMN public.employees.salary IS 'Gross per year, in the currency of the tenant.';

ALTER TABLE public.teams
    ADD CONSTRAINT teams_lead_fkey FOREIGN KEY (lead_id) REFERENCES public.employees (id)
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE public.employees
    ADD CONSTRAINT employees_team_fkey FOREIGN KEY (team_id) REFERENCES public.teams (id)
    DEFERRABLE INITIALLY DEFERRED;

-- ---------------------------------------------------------------------------------------------------------------------
-- public: customers

CREATE TABLE public.customers (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES public.tenants (id),
    public_id uuid NOT NULL DEFAULT gen_random_uuid() CONSTRAINT customers_public_id_key UNIQUE,
    status public.customer_status NOT NULL DEFAULT 'lead',
    first_name varchar(40) NOT NULL,
    last_name varchar(40) NOT NULL,
    full_name text GENERATED ALWAYS AS ((first_name || ' ' || last_name)) STORED,
    email public.email_address NOT NULL,
    other_emails text[],
    phone varchar(24) CHECK (phone ~ '^\+?[0-9 ()./-]+$'),
    born_on date,
    ssn text CONSTRAINT customers_ssn_form CHECK (ssn ~ '^\d{3}-\d{2}-\d{4}$'),
    referral_code char(8) NOT NULL UNIQUE,
    referred_by bigint REFERENCES public.customers (id) ON DELETE SET NULL,
    country char(2) NOT NULL REFERENCES public.countries (code),
    last_ip inet,
    interests text[] NOT NULL DEFAULT '{}',
    favourite_products int[],
    profile jsonb NOT NULL DEFAULT '{}',
    notes text,
    credit_limit public.positive_amount,
    loyalty_points int NOT NULL DEFAULT 0,
    search tsvector GENERATED ALWAYS AS (
        to_tsvector('simple'::regconfig, coalesce(first_name, '') || ' ' || coalesce(last_name, '') || ' ' || coalesce(notes, ''))
    ) STORED,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    UNIQUE (tenant_id, id)
);
COMMENT ON TABLE public.customers IS 'People who buy. Closed accounts stay, with deleted_at set.';

CREATE UNIQUE INDEX customers_email_lower_key ON public.customers (lower(email));
CREATE UNIQUE INDEX customers_ssn_living_key ON public.customers (ssn) WHERE deleted_at IS NULL AND ssn IS NOT NULL;
CREATE INDEX customers_phone_digits_idx ON public.customers (public.digits_of(phone));
CREATE INDEX customers_search_idx ON public.customers USING gin (search);
CREATE INDEX customers_profile_idx ON public.customers USING gin (profile jsonb_path_ops);
CREATE INDEX customers_name_trgm_idx ON public.customers USING gin (last_name gin_trgm_ops);
CREATE INDEX customers_tenant_idx ON public.customers (tenant_id, status) INCLUDE (created_at);

CREATE TRIGGER customers_updated_at BEFORE UPDATE ON public.customers
    FOR EACH ROW EXECUTE FUNCTION public.set_updated_at();

ALTER TABLE public.customers ENABLE ROW LEVEL SECURITY;
CREATE POLICY customers_of_tenant ON public.customers
    USING (tenant_id = nullif(current_setting('shop.tenant_id', true), '')::int);

CREATE TABLE public.addresses (
    id bigserial PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES public.customers (id) ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('billing', 'shipping')),
    is_default boolean NOT NULL DEFAULT false,
    recipient varchar(60) NOT NULL,
    line1 varchar(80) NOT NULL,
    line2 varchar(80),
    city varchar(60) NOT NULL,
    region varchar(60),
    postal_code public.postal_code NOT NULL,
    country char(2) NOT NULL REFERENCES public.countries (code),
    phone varchar(24),
    delivery_note text
);
CREATE UNIQUE INDEX addresses_one_default ON public.addresses (customer_id, kind) WHERE is_default;

CREATE TABLE public.devices (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    customer_id bigint NOT NULL REFERENCES public.customers (id) ON DELETE CASCADE,
    name text,
    platform text NOT NULL,
    push_token text UNIQUE,
    last_seen_ip inet,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX devices_platform_idx ON public.devices USING hash (platform);

-- No foreign key on purpose: anybody can subscribe, and the e-mail is the only link to a customer.
CREATE TABLE public.newsletter (
    email citext PRIMARY KEY,
    name text,
    confirmed_ip inet,
    confirmed_at timestamptz,
    topics text[] NOT NULL DEFAULT '{}'
);

-- Plain inheritance, from before the CRM.
CREATE TABLE public.contacts (
    id serial PRIMARY KEY,
    full_name text NOT NULL,
    email varchar(60) NOT NULL,
    phone varchar(24),
    added_on date NOT NULL
);
CREATE TABLE public.partners (
    company text NOT NULL,
    vat_number varchar(20),
    CONSTRAINT partners_pkey PRIMARY KEY (id)
) INHERITS (public.contacts);
CREATE TABLE public.press_contacts (
    outlet text NOT NULL,
    CONSTRAINT press_contacts_pkey PRIMARY KEY (id)
) INHERITS (public.contacts);

-- ---------------------------------------------------------------------------------------------------------------------
-- public: what is sold

CREATE TABLE public.categories (
    id smallserial PRIMARY KEY,
    parent_id smallint REFERENCES public.categories (id),
    name text NOT NULL,
    position smallint NOT NULL,
    CONSTRAINT categories_position_key UNIQUE (parent_id, position) DEFERRABLE INITIALLY IMMEDIATE
);

CREATE TABLE public.products (
    id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    category_id int NOT NULL REFERENCES public.categories (id),
    sku text NOT NULL CONSTRAINT products_sku_key UNIQUE,
    name text NOT NULL,
    description text,
    price public.positive_amount NOT NULL,
    size public.dimensions,
    weight_g real,
    attributes jsonb NOT NULL DEFAULT '{}',
    labels text[] NOT NULL DEFAULT '{}',
    monthly_sales int[] NOT NULL DEFAULT '{}',
    flags bit(8) NOT NULL DEFAULT B'00000000',
    search tsvector GENERATED ALWAYS AS (
        setweight(to_tsvector('english'::regconfig, name), 'A') || to_tsvector('english'::regconfig, coalesce(description, ''))
    ) STORED,
    discontinued_at timestamp
);
CREATE INDEX products_search_idx ON public.products USING gin (search);
CREATE INDEX products_name_trgm_idx ON public.products USING gin (name gin_trgm_ops);
CREATE INDEX products_labels_idx ON public.products USING gin (labels);

CREATE TABLE public.product_prices (
    product_id int NOT NULL REFERENCES public.products (id),
    valid daterange NOT NULL,
    price public.positive_amount NOT NULL,
    CONSTRAINT product_prices_no_overlap EXCLUDE USING gist (product_id WITH =, valid WITH &&)
);

CREATE TABLE public.suppliers (
    id smallint PRIMARY KEY,
    company text NOT NULL,
    contact_name varchar(60) NOT NULL,
    contact_email varchar(60) NOT NULL,
    contact_phone varchar(24),
    terms interval NOT NULL
);

CREATE TABLE public.product_suppliers (
    product_id bigint NOT NULL REFERENCES public.products (id),
    supplier_id int NOT NULL REFERENCES public.suppliers (id),
    lead_time interval NOT NULL,
    PRIMARY KEY (product_id, supplier_id)
);

CREATE TABLE public.warehouses (
    id smallint PRIMARY KEY,
    code text NOT NULL UNIQUE,
    location point NOT NULL,
    opens time NOT NULL,
    network cidr NOT NULL
);

CREATE TABLE public.stock (
    warehouse_id smallint NOT NULL REFERENCES public.warehouses (id),
    product_id int NOT NULL REFERENCES public.products (id),
    quantity int NOT NULL CHECK (quantity >= 0),
    counted_at timestamptz NOT NULL,
    PRIMARY KEY (warehouse_id, product_id)
) PARTITION BY HASH (product_id);
CREATE TABLE public.stock_p0 PARTITION OF public.stock FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE public.stock_p1 PARTITION OF public.stock FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE public.stock_p2 PARTITION OF public.stock FOR VALUES WITH (MODULUS 3, REMAINDER 2);

CREATE TABLE public.coupons (
    tenant_id int NOT NULL REFERENCES public.tenants (id),
    code text NOT NULL,
    percent smallint NOT NULL CHECK (percent BETWEEN 1 AND 90),
    valid tstzrange NOT NULL,
    PRIMARY KEY (tenant_id, code)
);

-- ---------------------------------------------------------------------------------------------------------------------
-- public: orders

CREATE TABLE public.orders (
    tenant_id int NOT NULL,
    id bigint NOT NULL DEFAULT nextval('public.order_number_seq'),
    customer_id bigint NOT NULL,
    customer_email varchar(60) NOT NULL CHECK (customer_email LIKE '%@%'),
    status public.order_status NOT NULL DEFAULT 'cart',
    coupon_tenant_id int,
    coupon_code text,
    total public.positive_amount NOT NULL,
    shipping jsonb,
    client_ip inet,
    note text,
    placed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT orders_customer_fkey FOREIGN KEY (tenant_id, customer_id) REFERENCES public.customers (tenant_id, id),
    CONSTRAINT orders_coupon_fkey FOREIGN KEY (coupon_tenant_id, coupon_code)
        REFERENCES public.coupons (tenant_id, code) MATCH FULL
);
CREATE INDEX orders_customer_idx ON public.orders (tenant_id, customer_id) INCLUDE (status, total);
CREATE INDEX orders_placed_at_idx ON public.orders USING brin (placed_at);
CREATE INDEX orders_email_idx ON public.orders (lower(customer_email));
CREATE STATISTICS public.orders_tenant_status (dependencies, ndistinct) ON tenant_id, status FROM public.orders;

CREATE TABLE public.order_items (
    tenant_id int NOT NULL,
    order_id bigint NOT NULL,
    line_no smallint NOT NULL,
    product_id bigint NOT NULL REFERENCES public.products (id),
    quantity smallint NOT NULL CHECK (quantity > 0),
    unit_price numeric(12, 2) NOT NULL,
    line_total numeric(14, 2) GENERATED ALWAYS AS (quantity * unit_price) STORED,
    gift_message text,
    PRIMARY KEY (tenant_id, order_id, line_no),
    FOREIGN KEY (tenant_id, order_id) REFERENCES public.orders (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE public.shipments (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL,
    order_id bigint NOT NULL,
    recipient varchar(60) NOT NULL,
    recipient_phone varchar(24),
    tracking_code varchar(24) NOT NULL UNIQUE,
    warehouse_id int NOT NULL REFERENCES public.warehouses (id),
    in_transit tstzrange,
    CONSTRAINT shipments_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES public.orders (tenant_id, id)
);
CREATE INDEX shipments_in_transit_idx ON public.shipments USING gist (in_transit);

-- customer_id is an int here and a bigint there; some products were deleted before the key existed.
CREATE TABLE public.reviews (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    customer_id int NOT NULL REFERENCES public.customers (id),
    product_id bigint NOT NULL,
    rating smallint NOT NULL CHECK (rating BETWEEN 1 AND 5),
    signed_as varchar(60),
    body text,
    created_at timestamptz NOT NULL
);

CREATE TABLE public.bookings (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    customer_id bigint NOT NULL REFERENCES public.customers (id),
    room smallint NOT NULL,
    during tstzrange NOT NULL CHECK (NOT isempty(during)),
    guests text[],
    CONSTRAINT bookings_no_double_booking EXCLUDE USING gist (room WITH =, during WITH &&)
);

-- ---------------------------------------------------------------------------------------------------------------------
-- public: support

CREATE TABLE public.tickets (
    id bigint NOT NULL DEFAULT nextval('public.ticket_id_seq'),
    channel text NOT NULL,
    customer_id bigint NOT NULL REFERENCES public.customers (id),
    assignee_id int REFERENCES public.employees (id),
    priority public.ticket_priority NOT NULL DEFAULT 'normal',
    subject text NOT NULL,
    body text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (channel, id)
) PARTITION BY LIST (channel);
CREATE TABLE public.tickets_mail PARTITION OF public.tickets FOR VALUES IN ('mail', 'letter');
CREATE TABLE public.tickets_chat PARTITION OF public.tickets FOR VALUES IN ('chat');
CREATE TABLE public.tickets_other PARTITION OF public.tickets DEFAULT;
CREATE INDEX tickets_customer_idx ON public.tickets (customer_id);

CREATE TABLE public.ticket_messages (
    id bigserial PRIMARY KEY,
    channel text NOT NULL,
    ticket_id bigint NOT NULL,
    customer_id bigint REFERENCES public.customers (id),
    employee_id int REFERENCES public.employees (id),
    body text NOT NULL,
    sent_at timestamptz NOT NULL,
    CONSTRAINT ticket_messages_ticket_fkey FOREIGN KEY (channel, ticket_id) REFERENCES public.tickets (channel, id),
    CONSTRAINT ticket_messages_one_author CHECK (num_nonnulls(customer_id, employee_id) = 1)
);

-- ---------------------------------------------------------------------------------------------------------------------
-- public: events, one partition a month; what fits no month goes to the default partition

CREATE TABLE public.events (
    id bigint NOT NULL DEFAULT nextval('public.event_id_seq'),
    tenant_id smallint NOT NULL REFERENCES public.tenants (id),
    customer_id bigint REFERENCES public.customers (id),
    device_id uuid REFERENCES public.devices (id),
    kind text NOT NULL,
    client_ip inet,
    payload jsonb NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (id, occurred_at)
) PARTITION BY RANGE (occurred_at);
CREATE TABLE public.events_2026_05 PARTITION OF public.events FOR VALUES FROM ('2026-05-01 00:00:00+00') TO ('2026-06-01 00:00:00+00');
CREATE TABLE public.events_2026_06 PARTITION OF public.events FOR VALUES FROM ('2026-06-01 00:00:00+00') TO ('2026-07-01 00:00:00+00');
CREATE TABLE public.events_2026_07 PARTITION OF public.events FOR VALUES FROM ('2026-07-01 00:00:00+00') TO ('2026-08-01 00:00:00+00');
CREATE TABLE public.events_2026_08 PARTITION OF public.events FOR VALUES FROM ('2026-08-01 00:00:00+00') TO ('2026-09-01 00:00:00+00');
CREATE TABLE public.events_2026_09 PARTITION OF public.events FOR VALUES FROM ('2026-09-01 00:00:00+00') TO ('2026-10-01 00:00:00+00');
CREATE TABLE public.events_2026_10 PARTITION OF public.events FOR VALUES FROM ('2026-10-01 00:00:00+00') TO ('2026-11-01 00:00:00+00');
CREATE TABLE public.events_default PARTITION OF public.events DEFAULT;
CREATE INDEX events_customer_idx ON public.events (customer_id, occurred_at);

-- ---------------------------------------------------------------------------------------------------------------------
-- public: odds and ends

CREATE TABLE public.api_credentials (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL REFERENCES public.tenants (id),
    label text NOT NULL,
    access_token text NOT NULL UNIQUE,
    client_secret text,
    signing_key bytea,
    webhook_url text,
    owner_email varchar(60),
    expires_at timestamptz
);
COMMENT ON TABLE public.api_credentials IS 'Credentials of integrations. Must never leave production.';

CREATE UNLOGGED TABLE public.session_cache (
    session_key text NOT NULL,
    customer_id bigint,
    content jsonb NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE public.import_errors (
    file_name text NOT NULL,
    line_no int NOT NULL,
    raw_line text,
    message text NOT NULL
);
COMMENT ON TABLE public.import_errors IS 'Lines the nightly import could not read. No key: duplicates are normal.';

CREATE TABLE public.heartbeat ();
COMMENT ON TABLE public.heartbeat IS 'One row per start of the importer. It needs no columns: only the count is used.';

CREATE TABLE public.feature_flags (
    name text PRIMARY KEY,
    enabled boolean NOT NULL DEFAULT false,
    rollout numeric(3, 2),
    tenants int[]
);

-- ---------------------------------------------------------------------------------------------------------------------
-- billing

CREATE TABLE billing.payment_methods (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL,
    customer_id bigint NOT NULL,
    card_holder varchar(60),
    card_number varchar(19) CONSTRAINT payment_methods_card_length CHECK (char_length(card_number) BETWEEN 12 AND 19),
    card_last4 text GENERATED ALWAYS AS ("right"(card_number, 4)) STORED,
    card_expires char(7) CHECK (card_expires ~ '^\d{4}-\d{2}$'),
    iban varchar(34),
    fingerprint text NOT NULL,
    is_default boolean NOT NULL,
    FOREIGN KEY (tenant_id, customer_id) REFERENCES public.customers (tenant_id, id),
    CONSTRAINT payment_methods_card_or_iban CHECK (num_nonnulls(card_number, iban) = 1)
);
CREATE UNIQUE INDEX payment_methods_one_default ON billing.payment_methods (customer_id) WHERE is_default;
ALTER TABLE billing.payment_methods ENABLE ROW LEVEL SECURITY;
CREATE POLICY payment_methods_of_tenant ON billing.payment_methods FOR SELECT
    USING (tenant_id = nullif(current_setting('shop.tenant_id', true), '')::int);

CREATE TABLE billing.invoices (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    tenant_id int NOT NULL,
    number text NOT NULL UNIQUE,
    running_no int NOT NULL,
    order_id bigint NOT NULL,
    customer_id bigint NOT NULL REFERENCES public.customers (id),
    customer_public_id uuid NOT NULL,
    bill_to_name varchar(60) NOT NULL,
    bill_to_email varchar(60),
    bill_to public.postal_address,
    issued_on date NOT NULL,
    pay_within interval NOT NULL DEFAULT interval '14 days',
    net numeric(12, 2) NOT NULL,
    tax numeric(12, 2) NOT NULL,
    gross numeric(13, 2) GENERATED ALWAYS AS (net + tax) STORED,
    document xml,
    memo text,
    CONSTRAINT invoices_order_fkey FOREIGN KEY (tenant_id, order_id) REFERENCES public.orders (tenant_id, id),
    CONSTRAINT invoices_customer_public_fkey FOREIGN KEY (customer_public_id) REFERENCES public.customers (public_id),
    CONSTRAINT invoices_running_no_key UNIQUE (tenant_id, running_no) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE billing.payments (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    invoice_id bigint NOT NULL REFERENCES billing.invoices (id),
    payment_method_id bigint REFERENCES billing.payment_methods (id),
    amount numeric(12, 2) NOT NULL,
    fee money,
    payer_name varchar(60),
    payer_ip inet,
    gateway_response json,
    paid_at timestamptz NOT NULL
);

CREATE TABLE billing.subscriptions (
    id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES public.customers (id),
    plan text NOT NULL,
    period daterange NOT NULL,
    renews_every interval NOT NULL,
    seats smallint NOT NULL DEFAULT 1,
    cancelled_at timestamptz,
    EXCLUDE USING gist (customer_id WITH =, period WITH &&)
);

-- ---------------------------------------------------------------------------------------------------------------------
-- audit

CREATE TABLE audit.changes (
    id bigserial PRIMARY KEY,
    table_name regclass NOT NULL,
    row_key text NOT NULL,
    actor_email text,
    actor_role name NOT NULL DEFAULT current_user,
    old_row jsonb,
    new_row jsonb,
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX changes_changed_at_idx ON audit.changes USING brin (changed_at);

CREATE TABLE audit.logins (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint REFERENCES public.customers (id),
    email_tried text NOT NULL,
    client_ip inet NOT NULL,
    user_agent text,
    ok boolean NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX logins_at_idx ON audit.logins USING brin (at);
CREATE INDEX logins_client_ip_idx ON audit.logins USING gist (client_ip inet_ops);

CREATE FUNCTION audit.record_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog
    AS $$
BEGIN
    INSERT INTO audit.changes (table_name, row_key, old_row, new_row)
    VALUES (TG_RELID::regclass, OLD.id::text, to_jsonb(OLD), CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(NEW) END);
    RETURN NULL;
END
$$;
CREATE TRIGGER customers_audit AFTER UPDATE OR DELETE ON public.customers
    FOR EACH ROW EXECUTE FUNCTION audit.record_change();
CREATE TRIGGER employees_updated_at BEFORE UPDATE ON public.employees
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION public.set_updated_at();

-- ---------------------------------------------------------------------------------------------------------------------
-- "Legacy": mixed case, spaces, fixed-width columns, and a customer number that nobody declared as a key

CREATE TABLE "Legacy"."Customers" (
    "Customer No" int PRIMARY KEY,
    "Full Name" varchar(30) NOT NULL,
    "E-Mail" varchar(60),
    "Phone No" char(20),
    "Street" char(60),
    "Zip" char(10),
    "Birth Date" date,
    "Credit Card" char(19),
    "Last Change" timestamp
);

CREATE TABLE "Legacy"."Order Lines" (
    "Order No" int NOT NULL,
    "Line" smallint NOT NULL,
    "Customer No" int NOT NULL REFERENCES "Legacy"."Customers" ("Customer No"),
    "Sku" text REFERENCES public.products (sku),
    "Ship To" varchar(40),
    "Qty." numeric NOT NULL,
    "Remark" text,
    PRIMARY KEY ("Order No", "Line")
);
CREATE INDEX "Order Lines by customer" ON "Legacy"."Order Lines" ("Customer No");

-- ---------------------------------------------------------------------------------------------------------------------
-- Views

CREATE VIEW public.active_customers WITH (security_barrier = true) AS
    SELECT c.id, c.tenant_id, c.full_name, c.email
    FROM public.customers AS c
    WHERE c.status = 'active' AND c.deleted_at IS NULL;

CREATE VIEW reporting.customer_overview AS
    SELECT c.id, c.full_name, count(o.id) AS orders, coalesce(sum(o.total), 0) AS revenue, max(o.placed_at) AS last_order_at
    FROM public.customers AS c
    LEFT JOIN public.orders AS o ON o.tenant_id = c.tenant_id AND o.customer_id = c.id
    GROUP BY c.id;

CREATE MATERIALIZED VIEW reporting.monthly_revenue AS
    SELECT o.tenant_id, date_trunc('month', o.placed_at, 'UTC') AS month, count(*) AS orders, sum(o.total) AS revenue
    FROM public.orders AS o
    WHERE o.status NOT IN ('cart', 'cancelled')
    GROUP BY 1, 2
    WITH NO DATA;
CREATE UNIQUE INDEX monthly_revenue_key ON reporting.monthly_revenue (tenant_id, month);

-- ---------------------------------------------------------------------------------------------------------------------
-- Rights, for roles that happen to exist

DO $$
DECLARE
    schema_name text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'shop_reader') THEN
        RETURN;
    END IF;
    FOREACH schema_name IN ARRAY ARRAY['public', 'billing', 'reporting'] LOOP
        EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA %I TO shop_reader', schema_name);
        EXECUTE pg_catalog.format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT ON TABLES TO shop_reader', schema_name);
    END LOOP;
    GRANT SELECT ON public.products, public.categories, public.countries, reporting.monthly_revenue TO shop_reader;
    GRANT SELECT (id, tenant_id, status, created_at) ON public.customers TO shop_reader;
END
$$;
REVOKE ALL ON FUNCTION audit.record_change() FROM PUBLIC;

COMMIT;
