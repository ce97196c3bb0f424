-- Keys and indexes, then foreign keys; one statement a line, the dearest first, for two sessions at once.
CREATE INDEX events_customer_at_idx ON app.events (customer_id, at);
ALTER TABLE app.order_items ADD CONSTRAINT order_items_pkey PRIMARY KEY (id);
CREATE INDEX order_items_order_idx ON app.order_items (order_id);
ALTER TABLE app.customers ADD CONSTRAINT customers_email_key UNIQUE (email);
ALTER TABLE app.events ADD CONSTRAINT events_pkey PRIMARY KEY (id);
CREATE INDEX orders_customer_idx ON app.orders (customer_id);
ALTER TABLE app.orders ADD CONSTRAINT orders_pkey PRIMARY KEY (id);
ALTER TABLE app.customers ADD CONSTRAINT customers_pkey PRIMARY KEY (id);
CREATE INDEX customers_created_at_idx ON app.customers (created_at);
ALTER TABLE app.wide ADD CONSTRAINT wide_pkey PRIMARY KEY (id);
ALTER TABLE app.countries ADD CONSTRAINT countries_pkey PRIMARY KEY (code);
ALTER TABLE app.order_items ADD CONSTRAINT order_items_order_fkey FOREIGN KEY (order_id) REFERENCES app.orders (id);
ALTER TABLE app.events ADD CONSTRAINT events_customer_fkey FOREIGN KEY (customer_id) REFERENCES app.customers (id);
ALTER TABLE app.orders ADD CONSTRAINT orders_customer_fkey FOREIGN KEY (customer_id) REFERENCES app.customers (id);
ALTER TABLE app.customers ADD CONSTRAINT customers_country_fkey FOREIGN KEY (country) REFERENCES app.countries (code);
