-- Columns of every kind that a rule pack knows, each decided too weakly: what stands behind it is the decision, and the rules that
-- refuse it. Read by `src/plan/packs/tests.rs` line by line, and by a server in `tests/packs.rs`.

CREATE SCHEMA weak_1;
CREATE SCHEMA weak_2;
CREATE SCHEMA weak_3;
CREATE SCHEMA weak_4;
CREATE SCHEMA weak_5;

CREATE TABLE users (
    first_name text, -- "keep" => pii.names, hipaa.identifiers
    last_name text, -- "keep" => pii.names, hipaa.identifiers
    username text, -- "keep" => pii.names
    email text, -- "keep" => pii.contact, hipaa.identifiers
    phone text, -- "keep" => pii.contact, hipaa.identifiers
    street text, -- "keep" => pii.contact, hipaa.places
    ssn text, -- "keep" => pii.numbers, hipaa.identifiers, gdpr.national
    passport_number text, -- "keep" => pii.numbers, hipaa.identifiers, gdpr.national
    drivers_license text, -- "keep" => pii.numbers, hipaa.identifiers, gdpr.national
    religion text, -- "keep" => pii.sensitive, gdpr.special
    ethnicity text, -- "keep" => pii.sensitive, gdpr.special
    marital_status text, -- "keep" => pii.sensitive
    sexual_orientation text, -- "keep" => pii.sensitive, gdpr.special
    fingerprint text, -- "keep" => pii.sensitive, hipaa.identifiers, gdpr.special
    gender text, -- "keep" => pii.sensitive
    birth_date date, -- "keep" => pii.birth, hipaa.dates
    home_coordinates point, -- "keep" => pii.birth, hipaa.places
    device_id text, -- "keep" => pii.online, hipaa.identifiers
    password_hash text, -- "keep" => secrets.passwords, dora.credentials
    api_key text, -- "keep" => secrets.tokens, dora.credentials
    national_id text, -- { keep = "why" } => hipaa.identifiers, gdpr.national
    age integer, -- "keep" => hipaa.age, gdpr.together
    city text, -- "keep" => hipaa.places, gdpr.together
    zip text, -- "keep" => hipaa.zip, gdpr.together
    job_title text, -- "keep" => gdpr.together
    website_url text, -- "keep" => hipaa.identifiers, gdpr.together
    company_name text, -- "keep" => gdpr.together
    membership_number text -- "keep" => hipaa.identifiers, gdpr.together
);
CREATE TABLE weak_1.users (
    passport_number text, -- { keep = "why" } => hipaa.identifiers, gdpr.national
    drivers_license text, -- { keep = "why" } => hipaa.identifiers, gdpr.national
    religion text, -- { keep = "why" } => gdpr.special
    ethnicity text, -- { keep = "why" } => gdpr.special
    sexual_orientation text, -- { keep = "why" } => gdpr.special
    fingerprint text, -- { keep = "why" } => hipaa.identifiers, gdpr.special
    password_hash text, -- { keep = "why" } => dora.credentials
    api_key text -- { keep = "why" } => dora.credentials
);
CREATE TABLE weak_2.users (
    api_key text -- { mask = "partial", keep_first = 8 } => secrets.tokens, dora.credentials
);
CREATE TABLE customers (
    full_name text, -- "keep" => pii.names, hipaa.identifiers
    postal_address text, -- "keep" => pii.contact, hipaa.places
    notes text, -- "keep" => pii.text
    stripe_customer_id text -- "keep" => neutralize.payment-references
);
CREATE TABLE accounts (
    iban text, -- "keep" => pii.numbers, hipaa.identifiers, dora.accounts
    bank_account_number text -- "keep" => pii.numbers, hipaa.identifiers, dora.accounts
);
CREATE TABLE weak_1.accounts (
    iban text, -- { keep = "why" } => hipaa.identifiers, dora.accounts
    bank_account_number text -- { keep = "why" } => hipaa.identifiers, dora.accounts
);
CREATE TABLE payments (
    card_number text -- "keep" => pii.numbers, pci.cards, hipaa.identifiers, dora.accounts
);
CREATE TABLE weak_1.payments (
    card_number text -- { keep = "we need it" } => pci.cards, hipaa.identifiers, dora.accounts
);
CREATE TABLE weak_2.payments (
    card_number text -- { mask = "card", keep = 8 } => pci.card-digits
);
CREATE TABLE weak_3.payments (
    card_number text -- { mask = "partial", keep_first = 8, keep_last = 4 } => pii.numbers, pci.cards, hipaa.identifiers, dora.accounts
);
CREATE TABLE weak_4.payments (
    card_number text -- { mask = "partial", keep_last = 6 } => pii.numbers, pci.cards, hipaa.identifiers, dora.accounts
);
CREATE TABLE weak_5.payments (
    card_number text -- { keep = "why" } => pci.cards, hipaa.identifiers, dora.accounts
);
CREATE TABLE drivers (
    license_plate text -- "keep" => pii.numbers, hipaa.identifiers
);
CREATE TABLE patients (
    diagnosis text, -- "keep" => pii.sensitive, gdpr.special
    birth_date date, -- { keep = "why" } => hipaa.dates
    zip text, -- "pattern" => hipaa.zip
    street text, -- { keep = "why" } => hipaa.places
    home_address text, -- { keep = "why" } => hipaa.places
    city text, -- { keep = "why" } => hipaa.places
    home_coordinates point, -- { keep = "why" } => hipaa.places
    first_name text, -- { keep = "why" } => hipaa.identifiers
    last_name text, -- { keep = "why" } => hipaa.identifiers
    full_name text, -- { keep = "why" } => hipaa.identifiers
    email text, -- { keep = "why" } => hipaa.identifiers
    phone text, -- { keep = "why" } => hipaa.identifiers
    ssn text, -- { keep = "why" } => hipaa.identifiers, gdpr.national
    medical_record_number text, -- { keep = "why" } => hipaa.identifiers
    bank_account_number text, -- { keep = "why" } => hipaa.identifiers, dora.accounts
    iban text, -- { keep = "why" } => hipaa.identifiers, dora.accounts
    card_number text, -- { keep = "why" } => pci.cards, hipaa.identifiers, dora.accounts
    drivers_license text, -- { keep = "why" } => hipaa.identifiers, gdpr.national
    passport_number text, -- { keep = "why" } => hipaa.identifiers, gdpr.national
    license_plate text, -- { keep = "why" } => hipaa.identifiers
    device_id text, -- { keep = "why" } => hipaa.identifiers
    website_url text, -- { keep = "why" } => hipaa.identifiers
    ip_address text, -- { keep = "why" } => hipaa.identifiers
    mac_address text, -- { keep = "why" } => hipaa.identifiers
    fingerprint text, -- { keep = "why" } => hipaa.identifiers, gdpr.special
    age integer -- { keep = "why" } => hipaa.age
);
CREATE TABLE weak_1.patients (
    diagnosis text, -- { keep = "why" } => gdpr.special
    birth_date date, -- "date.within_year" => hipaa.dates
    zip text, -- { mask = "zip", keep = 3 } => hipaa.zip
    age integer -- "num.noise" => hipaa.age
);
CREATE TABLE weak_2.patients (
    zip text -- { keep = "why" } => hipaa.zip
);
CREATE TABLE employees (
    termination_reason text, -- "keep" => pii.sensitive
    salary text -- "keep" => pii.sensitive, dora.accounts
);
CREATE TABLE weak_1.employees (
    salary text -- { keep = "why" } => dora.accounts
);
CREATE TABLE sessions (
    ip_address text, -- "keep" => pii.online, hipaa.identifiers
    user_agent text -- "keep" => gdpr.together
);
CREATE TABLE devices (
    mac_address text, -- "keep" => pii.online, hipaa.identifiers
    fcm_token text -- "keep" => secrets.tokens, dora.credentials, neutralize.push
);
CREATE TABLE webhook_endpoints (
    url text -- "keep" => hipaa.identifiers, gdpr.together, neutralize.webhooks
);
CREATE TABLE weak_1.webhook_endpoints (
    url text -- "pattern" => neutralize.webhooks
);
CREATE TABLE tenants (
    callback_url text, -- "keep" => hipaa.identifiers, gdpr.together, neutralize.callbacks
    smtp_host text -- "keep" => neutralize.mail-anywhere
);
CREATE TABLE smtp_settings (
    host text, -- "keep" => neutralize.mail-servers
    login text -- "keep" => pii.names, neutralize.mail-logins
);
CREATE TABLE web_push_subscriptions (
    endpoint text -- "keep" => secrets.tokens, dora.credentials, neutralize.push-subscriptions
);
CREATE TABLE oauth_clients (
    secret_digest text -- "keep" => neutralize.oauth
);
CREATE TABLE payment_gateways (
    endpoint text, -- "keep" => neutralize.payment-hosts
    merchant_ref text -- "keep" => neutralize.payment-keys
);
CREATE TABLE sms_settings (
    account_sid text -- "keep" => neutralize.sms
);
CREATE TABLE auth_user (
    username text, -- "keep" => pii.names, django.user-name
    first_name text, -- "keep" => pii.names, hipaa.identifiers, django.user-first-name
    last_name text, -- "keep" => pii.names, hipaa.identifiers, django.user-last-name
    email text, -- "keep" => pii.contact, hipaa.identifiers, django.user-email
    password text -- "keep" => secrets.passwords, dora.credentials, django.user-password
);
CREATE TABLE weak_1.auth_user (
    password text -- "pattern" => django.user-password
);
CREATE TABLE authtoken_token (
    key text -- "keep" => django.tokens
);
CREATE TABLE socialaccount_socialaccount (
    uid text -- "keep" => django.social
);
CREATE TABLE django_celery_beat_periodictask (
    enabled boolean -- "keep" => django.beat
);
CREATE TABLE admins (
    password_digest text, -- "keep" => secrets.passwords, dora.credentials, rails.devise-password
    unlock_token text, -- "keep" => secrets.tokens, dora.credentials, rails.devise-tokens
    last_sign_in_ip text, -- "keep" => pii.online, hipaa.identifiers, rails.devise-addresses
    unconfirmed_email text -- "keep" => pii.contact, hipaa.identifiers, rails.unconfirmed
);
CREATE TABLE weak_1.admins (
    password_digest text -- "pattern" => rails.devise-password
);
CREATE TABLE active_storage_blobs (
    filename text, -- "keep" => rails.files
    metadata text -- "keep" => rails.file-metadata
);
CREATE TABLE action_text_rich_texts (
    body text -- "keep" => pii.text, rails.rich-text
);
CREATE TABLE oauth_applications (
    uid text -- "keep" => rails.oauth-clients
);
CREATE TABLE ir_mail_server (
    smtp_host text, -- "keep" => neutralize.mail-servers, odoo.mail-servers
    smtp_user text -- "keep" => neutralize.mail-logins, odoo.mail-logins
);
CREATE TABLE ir_cron (
    active boolean -- "keep" => odoo.switches
);
CREATE TABLE payment_provider (
    state text, -- "keep" => odoo.payment-state
    adyen_merchant_account text -- "keep" => neutralize.payment-keys, odoo.payment-keys
);
CREATE TABLE ir_config_parameter (
    value text -- "keep" => odoo.parameters
);
CREATE TABLE res_users (
    totp_secret text, -- "keep" => secrets.tokens, dora.credentials, odoo.users-secrets
    login text, -- "keep" => pii.names, odoo.users-login
    signature text -- "keep" => pii.sensitive, hipaa.identifiers, gdpr.special, odoo.users-signature
);
CREATE TABLE res_partner (
    name text, -- "keep" => pii.names, hipaa.identifiers, odoo.partners-name
    mobile text, -- "keep" => pii.contact, hipaa.identifiers, odoo.partners-phone
    street text, -- "keep" => pii.contact, hipaa.places, odoo.partners-place
    barcode text -- "keep" => odoo.partners-rest
);
CREATE TABLE mail_message (
    reply_to text, -- "keep" => pii.contact, hipaa.identifiers, odoo.partners-mail
    record_name text -- "keep" => odoo.messages
);
CREATE TABLE ir_attachment (
    name text -- "keep" => odoo.attachments
);
CREATE TABLE res_partner_bank (
    sanitized_acc_number text -- "keep" => pii.numbers, hipaa.identifiers, dora.accounts, odoo.banks
);
CREATE TABLE user_entity (
    email_constraint text, -- "keep" => pii.contact, hipaa.identifiers, keycloak.user-email
    username text, -- "keep" => pii.names, keycloak.user-name
    first_name text, -- "keep" => pii.names, hipaa.identifiers, keycloak.user-first-name
    last_name text -- "keep" => pii.names, hipaa.identifiers, keycloak.user-last-name
);
CREATE TABLE user_attribute (
    value text -- "keep" => keycloak.attributes
);
CREATE TABLE credential (
    secret_data text -- "keep" => secrets.tokens, dora.credentials, keycloak.credentials
);
CREATE TABLE weak_1.credential (
    secret_data text -- "pattern" => keycloak.credentials
);
CREATE TABLE client (
    secret text -- "keep" => secrets.tokens, dora.credentials, keycloak.clients
);
CREATE TABLE component_config (
    value text -- "keep" => keycloak.keys
);
CREATE TABLE realm_smtp_config (
    value text -- "keep" => keycloak.mail
);
CREATE TABLE federated_identity (
    federated_user_id text -- "keep" => keycloak.federated
);
CREATE TABLE wp_users (
    user_nicename text, -- "keep" => wordpress.login
    display_name text, -- "keep" => pii.names, hipaa.identifiers, wordpress.name
    user_pass text, -- "keep" => secrets.passwords, dora.credentials, wordpress.password
    user_activation_key text, -- "keep" => secrets.tokens, dora.credentials, wordpress.activation
    user_url text -- "keep" => hipaa.identifiers, gdpr.together, wordpress.links
);
CREATE TABLE weak_1.wp_users (
    user_pass text -- "pattern" => wordpress.password
);
CREATE TABLE wp_comments (
    comment_author_email text, -- "keep" => pii.contact, hipaa.identifiers, wordpress.email
    comment_author text, -- "keep" => pii.names, hipaa.identifiers, wordpress.comment-author
    comment_author_ip text -- "keep" => pii.online, hipaa.identifiers, wordpress.comment-address
);
CREATE TABLE wp_usermeta (
    meta_value text -- "keep" => wordpress.meta
);
CREATE TABLE wp_options (
    option_value text -- "keep" => wordpress.options
);
