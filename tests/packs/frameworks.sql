-- Tables like those that frameworks make, with a canary in every column a person or a secret could stand in. `-- name` starts
-- the schema of a pack.
-- django
CREATE TABLE django_migrations (id serial PRIMARY KEY, app varchar(255) NOT NULL, name varchar(255) NOT NULL, applied timestamptz NOT NULL);
CREATE TABLE django_content_type (id serial PRIMARY KEY, app_label varchar(100) NOT NULL, model varchar(100) NOT NULL, UNIQUE (app_label, model));
CREATE TABLE auth_user (id serial PRIMARY KEY, password varchar(128) NOT NULL, last_login timestamptz, is_superuser boolean NOT NULL,
    username varchar(150) NOT NULL UNIQUE, first_name varchar(150) NOT NULL, last_name varchar(150) NOT NULL, email varchar(254) NOT NULL,
    is_staff boolean NOT NULL, is_active boolean NOT NULL, date_joined timestamptz NOT NULL);
CREATE TABLE django_session (session_key varchar(40) PRIMARY KEY, session_data text NOT NULL, expire_date timestamptz NOT NULL);
CREATE TABLE django_admin_log (id serial PRIMARY KEY, action_time timestamptz NOT NULL, object_id text, object_repr varchar(200) NOT NULL,
    change_message text NOT NULL, content_type_id int REFERENCES django_content_type, user_id int NOT NULL REFERENCES auth_user);
CREATE TABLE authtoken_token (key varchar(40) PRIMARY KEY, created timestamptz NOT NULL, user_id int NOT NULL UNIQUE REFERENCES auth_user);
CREATE TABLE django_celery_beat_periodictask (id serial PRIMARY KEY, name varchar(200) NOT NULL UNIQUE, task varchar(200) NOT NULL, enabled boolean NOT NULL);
INSERT INTO django_migrations (app, name, applied) VALUES ('auth', '0001_initial', '2026-01-01');
INSERT INTO django_content_type (app_label, model) VALUES ('auth', 'user');
INSERT INTO auth_user (password, username, first_name, last_name, email, is_superuser, is_staff, is_active, date_joined)
    SELECT 'pbkdf2_sha256$600000$qzcanary' || n || '$' || md5(n::text), 'qzcanary' || n, 'Qzcanary', 'Qzcanary', 'qzcanary' || n || '@example.org', false, false, true, '2026-01-01'
    FROM generate_series(1, 30) AS n;
INSERT INTO django_session VALUES ('qzcanarysession', 'qzcanary', '2026-01-01');
INSERT INTO django_admin_log (action_time, object_repr, change_message, content_type_id, user_id) VALUES ('2026-01-01', 'qzcanary', 'qzcanary', 1, 1);
INSERT INTO authtoken_token SELECT 'qzcanary' || md5(n::text), '2026-01-01', n FROM generate_series(1, 30) AS n;
INSERT INTO django_celery_beat_periodictask (name, task, enabled) VALUES ('nightly', 'shop.tasks.bill', true);
-- rails
CREATE TABLE schema_migrations (version varchar PRIMARY KEY);
CREATE TABLE ar_internal_metadata (key varchar PRIMARY KEY, value varchar, created_at timestamp NOT NULL, updated_at timestamp NOT NULL);
CREATE TABLE users (id bigserial PRIMARY KEY, email varchar NOT NULL DEFAULT '' UNIQUE, encrypted_password varchar NOT NULL DEFAULT '',
    reset_password_token varchar UNIQUE, reset_password_sent_at timestamp, current_sign_in_ip varchar, last_sign_in_ip inet, unconfirmed_email varchar);
CREATE TABLE active_storage_blobs (id bigserial PRIMARY KEY, key varchar NOT NULL UNIQUE, filename varchar NOT NULL, content_type varchar, metadata text,
    service_name varchar NOT NULL, byte_size bigint NOT NULL, checksum varchar, created_at timestamp NOT NULL);
CREATE TABLE action_text_rich_texts (id bigserial PRIMARY KEY, name varchar NOT NULL, body text, record_type varchar NOT NULL, record_id bigint NOT NULL);
CREATE TABLE versions (id bigserial PRIMARY KEY, item_type varchar NOT NULL, item_id bigint NOT NULL, event varchar NOT NULL, object text);
CREATE TABLE delayed_jobs (id bigserial PRIMARY KEY, priority int NOT NULL DEFAULT 0, handler text NOT NULL, queue varchar);
INSERT INTO schema_migrations VALUES ('20260101000000');
INSERT INTO ar_internal_metadata VALUES ('environment', 'production', '2026-01-01', '2026-01-01');
INSERT INTO users (email, encrypted_password, reset_password_token, current_sign_in_ip, last_sign_in_ip, unconfirmed_email)
    SELECT 'qzcanary' || n || '@example.org', '$2a$12$qzcanary' || left(md5(n::text) || md5(n::text), 45), 'qzcanary' || md5(n::text), '203.0.113.77', '203.0.113.77', 'qzcanary@example.net'
    FROM generate_series(1, 30) AS n;
INSERT INTO active_storage_blobs (key, filename, content_type, metadata, service_name, byte_size, checksum, created_at)
    VALUES ('qzcanarykey', 'Qzcanary Passport.pdf', 'application/pdf', '{"author":"qzcanary"}', 's3', 10, 'abc', '2026-01-01');
INSERT INTO action_text_rich_texts (name, body, record_type, record_id) VALUES ('content', '<p>qzcanary</p>', 'Post', 1);
INSERT INTO versions (item_type, item_id, event, object) VALUES ('User', 1, 'update', 'email: qzcanary@example.org');
INSERT INTO delayed_jobs (handler) VALUES ('--- mail qzcanary@example.org');
-- odoo
CREATE TABLE ir_module_module (id serial PRIMARY KEY, name varchar NOT NULL, state varchar);
CREATE TABLE ir_model (id serial PRIMARY KEY, model varchar NOT NULL);
CREATE TABLE res_partner (id serial PRIMARY KEY, name varchar, display_name varchar, email varchar, phone varchar, street varchar, street2 varchar,
    vat varchar, comment text, is_company boolean);
CREATE TABLE res_users (id serial PRIMARY KEY, login varchar NOT NULL UNIQUE, password varchar, partner_id int NOT NULL REFERENCES res_partner, signature text, totp_secret varchar);
CREATE TABLE ir_mail_server (id serial PRIMARY KEY, name varchar NOT NULL, smtp_host varchar, smtp_user varchar, smtp_pass varchar, active boolean);
CREATE TABLE ir_cron (id serial PRIMARY KEY, cron_name varchar, active boolean);
CREATE TABLE ir_config_parameter (id serial PRIMARY KEY, key varchar NOT NULL UNIQUE, value text NOT NULL);
CREATE TABLE payment_provider (id serial PRIMARY KEY, code varchar NOT NULL, state varchar NOT NULL, stripe_secret_key varchar, adyen_merchant_account varchar);
CREATE TABLE mail_message (id serial PRIMARY KEY, subject varchar, body text, email_from varchar, reply_to varchar, record_name varchar);
CREATE TABLE mail_mail (id serial PRIMARY KEY, mail_message_id int NOT NULL REFERENCES mail_message, email_to text);
INSERT INTO ir_module_module (name, state) VALUES ('base', 'installed');
INSERT INTO ir_model (model) VALUES ('res.partner');
INSERT INTO res_partner (name, display_name, email, phone, street, street2, vat, comment, is_company)
    SELECT 'Qzcanary', 'Qzcanary', 'qzcanary' || n || '@example.org', '+1-312-555-0186', 'Qzcanary Street 1', 'qzcanary', 'qzcanary', 'qzcanary', false FROM generate_series(1, 20) AS n;
INSERT INTO res_users (login, password, partner_id, signature, totp_secret)
    SELECT 'qzcanary' || n || '@example.org', '$pbkdf2-sha512$25000$qzcanary' || n, n, '<p>qzcanary</p>', 'qzcanary' FROM generate_series(1, 20) AS n;
INSERT INTO ir_mail_server (name, smtp_host, smtp_user, smtp_pass, active) VALUES ('out', 'smtp.qzcanary.test', 'qzcanary', 'qzcanary', true);
INSERT INTO ir_cron (cron_name, active) VALUES ('fetch mail', true);
INSERT INTO ir_config_parameter (key, value) VALUES ('database.secret', 'qzcanary'), ('web.base.url', 'https://qzcanary.test'), ('sale.owner', 'Qzcanary Ann'), ('mail.default.from', 'qzcanary@example.org'), ('web.max_file_upload_size', '128');
INSERT INTO payment_provider (code, state, stripe_secret_key, adyen_merchant_account) VALUES ('stripe', 'enabled', 'sk_live_qzcanary', 'qzcanary');
INSERT INTO mail_message (subject, body, email_from, reply_to, record_name) VALUES ('qzcanary', 'qzcanary', 'qzcanary@example.org', 'qzcanary@example.org', 'qzcanary');
INSERT INTO mail_mail (mail_message_id, email_to) VALUES (1, 'qzcanary@example.org');
-- keycloak
CREATE TABLE realm (id varchar(36) PRIMARY KEY, name varchar(255) UNIQUE);
CREATE TABLE client_scope (id varchar(36) PRIMARY KEY, name varchar(255));
CREATE TABLE client (id varchar(36) PRIMARY KEY, client_id varchar(255), secret varchar(255), enabled boolean NOT NULL);
CREATE TABLE user_entity (id varchar(36) PRIMARY KEY, email varchar(255), email_constraint varchar(255), first_name varchar(255), last_name varchar(255),
    realm_id varchar(255), username varchar(255), enabled boolean NOT NULL, UNIQUE (realm_id, email_constraint), UNIQUE (realm_id, username));
CREATE TABLE credential (id varchar(36) PRIMARY KEY, type varchar(255), user_id varchar(36) REFERENCES user_entity, secret_data text, credential_data text, salt bytea, user_label varchar(255));
CREATE TABLE user_attribute (id varchar(36) PRIMARY KEY, name varchar(255) NOT NULL, value varchar(255), user_id varchar(36) NOT NULL REFERENCES user_entity);
CREATE TABLE component_config (id varchar(36) PRIMARY KEY, component_id varchar(36) NOT NULL, name varchar(255) NOT NULL, value text);
CREATE TABLE realm_smtp_config (realm_id varchar(36) NOT NULL REFERENCES realm, value varchar(255), name varchar(255) NOT NULL, PRIMARY KEY (realm_id, name));
CREATE TABLE event_entity (id varchar(36) PRIMARY KEY, ip_address varchar(255), details_json text, user_id varchar(255));
INSERT INTO realm VALUES ('r1', 'shop');
INSERT INTO client_scope VALUES ('s1', 'profile');
INSERT INTO client VALUES ('c1', 'web', 'qzcanary', true);
INSERT INTO user_entity SELECT 'u' || n, 'qzcanary' || n || '@example.org', 'qzcanary' || n || '@example.org', 'Qzcanary', 'Qzcanary', 'r1', 'qzcanary' || n, true FROM generate_series(1, 20) AS n;
INSERT INTO credential SELECT 'p' || n, 'password', 'u' || n, '{"value":"qzcanary"}', '{"hash":"qzcanary"}', NULL, 'qzcanary' FROM generate_series(1, 20) AS n;
INSERT INTO user_attribute SELECT 'a' || n, 'nickname', 'qzcanary', 'u' || n FROM generate_series(1, 20) AS n;
INSERT INTO component_config VALUES ('k1', 'rsa', 'privateKey', 'qzcanary'), ('k2', 'rsa', 'priority', '100'), ('k3', 'ldap', 'bindDn', 'cn=qzcanary,dc=shop'),
    ('k4', 'ldap', 'connectionUrl', 'ldap://qzcanary.test');
INSERT INTO realm_smtp_config VALUES ('r1', 'smtp.qzcanary.test', 'host'), ('r1', 'qzcanary', 'password');
INSERT INTO event_entity VALUES ('e1', '203.0.113.77', 'qzcanary', 'u1');
-- wordpress
CREATE TABLE wp_users (id bigserial PRIMARY KEY, user_login varchar(60) NOT NULL DEFAULT '', user_pass varchar(255) NOT NULL DEFAULT '', user_nicename varchar(50) NOT NULL DEFAULT '',
    user_email varchar(100) NOT NULL DEFAULT '', user_url varchar(100) NOT NULL DEFAULT '', user_activation_key varchar(255) NOT NULL DEFAULT '', display_name varchar(250) NOT NULL DEFAULT '');
CREATE TABLE wp_usermeta (umeta_id bigserial PRIMARY KEY, user_id bigint NOT NULL, meta_key varchar(255), meta_value text);
CREATE TABLE wp_postmeta (meta_id bigserial PRIMARY KEY, post_id bigint NOT NULL, meta_key varchar(255), meta_value text);
CREATE TABLE wp_options (option_id bigserial PRIMARY KEY, option_name varchar(191) NOT NULL UNIQUE, option_value text NOT NULL, autoload varchar(20) NOT NULL DEFAULT 'yes');
CREATE TABLE wp_comments (comment_id bigserial PRIMARY KEY, comment_post_id bigint NOT NULL, comment_author text NOT NULL, comment_author_email varchar(100) NOT NULL DEFAULT '',
    comment_author_url varchar(200) NOT NULL DEFAULT '', comment_author_ip varchar(100) NOT NULL DEFAULT '', comment_content text NOT NULL);
INSERT INTO wp_users (user_login, user_pass, user_nicename, user_email, user_url, user_activation_key, display_name)
    SELECT 'qzcanary' || n, '$P$Bqzcanary' || left(md5(n::text), 22), 'qzcanary' || n, 'qzcanary' || n || '@example.org', 'https://qzcanary.test', 'qzcanary', 'Qzcanary' FROM generate_series(1, 20) AS n;
INSERT INTO wp_usermeta (user_id, meta_key, meta_value) SELECT n, 'nickname', 'qzcanary' FROM generate_series(1, 20) AS n;
INSERT INTO wp_options (option_name, option_value) VALUES ('siteurl', 'https://qzcanary.test'), ('mailserver_pass', 'qzcanary'), ('posts_per_page', '10'),
    ('woocommerce_stripe_settings', 'a:1:{s:3:"sec";s:16:"sk_live_qzcanary";}'), ('woocommerce_paypal_settings', 'a:1:{s:5:"email";s:20:"qzcanary@example.org";}'),
    ('woocommerce_bacs_accounts', 'a:1:{s:12:"account_name";s:12:"Qzcanary Ann";}'), ('woocommerce_new_order_settings', 'qzcanary@example.org'),
    ('woocommerce_store_address', 'Qzcanary Street 1'), ('updraft_dropbox', 'qzcanary'), ('blogname', 'Qzcanary'), ('wp_user_roles', 'a:0:{}');
INSERT INTO wp_comments (comment_post_id, comment_author, comment_author_email, comment_author_url, comment_author_ip, comment_content)
    VALUES (1, 'Qzcanary', 'qzcanary@example.org', 'https://qzcanary.test', '203.0.113.77', 'fine');
-- neutralize
CREATE TABLE webhook_endpoints (id serial PRIMARY KEY, url text NOT NULL, signing_secret text);
CREATE TABLE smtp_settings (id serial PRIMARY KEY, host text NOT NULL, login text, password text);
CREATE TABLE devices (id serial PRIMARY KEY, fcm_token text);
CREATE TABLE oauth_clients (id serial PRIMARY KEY, secret_digest text NOT NULL UNIQUE, redirect_uri text);
CREATE TABLE payment_gateways (id serial PRIMARY KEY, endpoint text NOT NULL, merchant_ref text);
CREATE TABLE email_queue (id serial PRIMARY KEY, recipient text NOT NULL);
CREATE TABLE tenants (id serial PRIMARY KEY, stripe_customer_id text NOT NULL UNIQUE, callback_url text);
INSERT INTO webhook_endpoints (url, signing_secret) VALUES ('https://qzcanary.test/hook', 'qzcanary');
INSERT INTO smtp_settings (host, login, password) VALUES ('smtp.qzcanary.test', 'qzcanary', 'qzcanary');
INSERT INTO devices (fcm_token) VALUES ('qzcanary');
INSERT INTO oauth_clients (secret_digest, redirect_uri) VALUES ('qzcanary', NULL);
INSERT INTO payment_gateways (endpoint, merchant_ref) VALUES ('https://qzcanary.test/pay', 'qzcanary');
INSERT INTO email_queue (recipient) VALUES ('qzcanary@example.org');
INSERT INTO tenants (stripe_customer_id, callback_url) VALUES ('cus_qzcanary', 'https://qzcanary.test');
