-- Supabase's database lints about what strangers and users can reach: who sees what, and with whose rights.
begin;
\ir lib/lints.psql

create temporary view auth_users_exposed as
select distinct r.name as object
  from house_relations r join exposed e on e.nspname = r.nspname
  join pg_rewrite w on w.ev_class = r.oid
  join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.deptype = 'n'
  join pg_class u on u.oid = d.refobjid and u.oid = to_regclass('auth.users')
 where pg_temp.open_to_outsiders(r.oid)
   and (r.relkind = 'm' or not u.relrowsecurity
     or not lower(coalesce(r.reloptions::text, '{}'))::text[] && array['security_invoker=1', 'security_invoker=true', 'security_invoker=yes', 'security_invoker=on']);

create temporary view security_definer_view as
select r.name as object from house_relations r join exposed e on e.nspname = r.nspname
 where r.relkind = 'v' and pg_temp.open_to_outsiders(r.oid)
   and not lower(coalesce(r.reloptions::text, '{}'))::text[] && array['security_invoker=1', 'security_invoker=true', 'security_invoker=yes', 'security_invoker=on'];

create temporary view rls_disabled_in_public as
select r.name as object from house_relations r join exposed e on e.nspname = r.nspname
 where r.relkind in ('r', 'p') and not r.relrowsecurity and pg_temp.open_to_outsiders(r.oid);

-- Supabase looks at tables without row-level security. Ours are behind views, so here every column counts that is shown.
create temporary view sensitive_columns_exposed as
select r.name || '.' || a.attname as object
  from house_relations r join exposed e on e.nspname = r.nspname
  join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
 where pg_temp.open_to_outsiders(r.oid) and replace(lower(a.attname), '-', '_') in (
     'password', 'passwd', 'pwd', 'passphrase', 'secret', 'secret_key', 'private_key', 'api_key', 'apikey', 'auth_key', 'token', 'jwt',
     'access_token', 'refresh_token', 'oauth_token', 'session_token', 'bearer_token', 'auth_code', 'session_id', 'session_key',
     'session_secret', 'recovery_code', 'backup_code', 'verification_code', 'otp', 'two_factor', '2fa_secret', '2fa_code', 'ssn',
     'social_security', 'social_security_number', 'driver_license', 'drivers_license', 'license_number', 'passport_number',
     'passport_id', 'national_id', 'tax_id', 'credit_card', 'card_number', 'cvv', 'cvc', 'cvn', 'bank_account', 'account_number',
     'routing_number', 'iban', 'swift_code', 'bic', 'health_record', 'medical_record', 'patient_id', 'insurance_number',
     'health_insurance', 'medical_insurance', 'treatment', 'mac_address', 'macaddr', 'imei', 'device_uuid', 'pgp_key', 'gpg_key',
     'ssh_key', 'certificate', 'license_key', 'activation_key', 'facial_recognition',
     -- Ours: what Supabase's auth tables and our own rows call theirs.
     'encrypted_password', 'pin', 'pin_hash', 'token_hash', 'confirmation_token', 'recovery_token', 'notif_token', 'webhook_secret');

create temporary view insecure_queue_exposed_in_api as
select format('%I.%I', n.nspname, c.relname) as object from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p') and n.nspname = 'pgmq' and c.relname like 'q\_%' and not c.relrowsecurity
   and pg_temp.open_to_outsiders(c.oid) and exists (select from exposed e where e.nspname = 'pgmq_public');

create temporary view materialized_view_in_api as
select r.name as object from house_relations r join exposed e on e.nspname = r.nspname
 where r.relkind = 'm' and pg_temp.open_to_outsiders(r.oid);

create temporary view foreign_table_in_api as
select r.name as object from house_relations r join exposed e on e.nspname = r.nspname
 where r.relkind = 'f' and pg_temp.open_to_outsiders(r.oid);

create temporary view definer_functions as
select p.oid::regprocedure::text as object, o.rolname
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace join exposed e on e.nspname = n.nspname cross join outsiders o
 where p.prosecdef and has_function_privilege(o.oid, p.oid, 'execute');

create temporary view anon_security_definer_function_executable as select object from definer_functions where rolname = 'anon';
create temporary view authenticated_security_definer_function_executable as select object from definer_functions where rolname = 'authenticated';

-- Introspection tells names, whatever row-level security hides. The name stands in a table so that the rule can be tried.
create temporary table graphql as select 'pg_graphql'::name as extension;

create temporary view in_graphql as
select r.name as object, o.rolname from house_relations r cross join outsiders o
 where has_any_column_privilege(o.oid, r.oid, 'select') and exists (select from pg_extension x join graphql g on g.extension = x.extname);

create temporary view pg_graphql_anon_table_exposed as select object from in_graphql where rolname = 'anon';
create temporary view pg_graphql_authenticated_table_exposed as select object from in_graphql where rolname = 'authenticated';

-- A public bucket serves its files by their names; a policy on top lists all of them.
create function pg_temp.public_buckets() returns table (id text) language plpgsql as $$
begin
    if to_regclass('storage.buckets') is not null then
        return query execute 'select b.id::text from storage.buckets b where b.public';
    end if;
end $$;

create temporary view public_bucket_allows_listing as
select b.id as object from pg_temp.public_buckets() b
 where exists (
     select from pg_policies p
      where p.schemaname = 'storage' and p.tablename = 'objects' and p.cmd in ('SELECT', 'ALL') and p.permissive = 'PERMISSIVE'
        and p.roles && array['public', 'anon', 'authenticated']::name[]
        and translate(lower(coalesce(p.qual, 'true')), E' \n\t()', '')
            in ('true', '1=1', format('bucket_id=%L', b.id), format('bucket_id=%L::text', b.id)));

select pg_temp.gate(rule) from unnest(array['auth_users_exposed', 'security_definer_view', 'rls_disabled_in_public',
    'sensitive_columns_exposed', 'insecure_queue_exposed_in_api', 'materialized_view_in_api', 'foreign_table_in_api',
    'anon_security_definer_function_executable', 'authenticated_security_definer_function_executable',
    'pg_graphql_anon_table_exposed', 'pg_graphql_authenticated_table_exposed', 'public_bucket_allows_listing']) rule;

-- Each of them finds what it is there for.
savepoint clean;
create view api.people_of_auth as select id from auth.users;
create view api.safe_people with (security_invoker = true) as select id from auth.users;
grant select on api.people_of_auth, api.safe_people to authenticated;
select pg_temp.finds('auth_users_exposed', 'api.people_of_auth'), pg_temp.finds('security_definer_view', 'api.people_of_auth');
do $$ begin assert not exists (select from pg_temp.auth_users_exposed where object = 'api.safe_people'), 'an invoker''s view is no leak'; end $$;
alter table auth.users disable row level security;
select pg_temp.finds('auth_users_exposed', 'api.safe_people');
rollback to savepoint clean;

create table api.cards (id integer primary key, card_number text);
grant select (card_number) on api.cards to anon;
select pg_temp.finds('rls_disabled_in_public', 'api.cards'), pg_temp.finds('sensitive_columns_exposed', 'api.cards.card_number');
rollback to savepoint clean;

create schema if not exists pgmq;
create table pgmq.q_letters (id integer primary key);
grant select on pgmq.q_letters to anon;
do $$ begin assert not exists (select from pg_temp.insecure_queue_exposed_in_api), 'nobody shows the queue'; end $$;
insert into exposed values ('pgmq_public');
select pg_temp.finds('insecure_queue_exposed_in_api', 'pgmq.q_letters');
rollback to savepoint clean;

create materialized view api.totals as select 1 as total;
create foreign data wrapper elsewhere;
create server elsewhere foreign data wrapper elsewhere;
create foreign table api.far_away (id integer) server elsewhere;
grant select on api.totals, api.far_away to authenticated;
select pg_temp.finds('materialized_view_in_api', 'api.totals'), pg_temp.finds('foreign_table_in_api', 'api.far_away');
rollback to savepoint clean;

create function api.mighty(ask jsonb) returns jsonb language sql security definer set search_path = '' as $$ select ask $$;
grant execute on function api.mighty(jsonb) to anon, authenticated;
select pg_temp.finds('anon_security_definer_function_executable', 'api.mighty(jsonb)'),
    pg_temp.finds('authenticated_security_definer_function_executable', 'api.mighty(jsonb)');
rollback to savepoint clean;

update graphql set extension = 'plpgsql';
grant select (id) on core.audit_logs to anon;
select pg_temp.finds('pg_graphql_anon_table_exposed', 'core.audit_logs'), pg_temp.finds('pg_graphql_authenticated_table_exposed', 'api.wallets');
rollback to savepoint clean;

create schema if not exists storage;
create table if not exists storage.buckets (id text primary key, name text not null, public boolean);
create table if not exists storage.objects (id integer primary key, bucket_id text);
insert into storage.buckets (id, name, public) values ('avatars', 'avatars', true), ('papers', 'papers', false);
create policy listed on storage.objects for select to anon using (bucket_id = 'avatars');
create policy papers_listed on storage.objects for select to anon using (bucket_id = 'papers');
select pg_temp.finds('public_bucket_allows_listing', 'avatars');
do $$ begin assert (select count(*) = 1 from pg_temp.public_bucket_allows_listing), 'a bucket that is not public may be listed'; end $$;
rollback to savepoint clean;

-- And an exception is for what offends: a line that outlives its reason fails too.
insert into allowed values ('security_definer_view', 'api.nothing', 'gone long ago');
do $$
begin
    perform pg_temp.gate('security_definer_view');
    raise 'a stale line passed';
exception when raise_exception then
    assert sqlerrm like 'security_definer_view: api.nothing is allowed and does not offend%', sqlerrm;
end $$;
create view api.loose as select 1 as a;
grant select on api.loose to anon;
update allowed set object = 'api.loose';
select pg_temp.gate('security_definer_view');
delete from allowed;
do $$
begin
    perform pg_temp.gate('security_definer_view');
    raise 'an offender passed';
exception when raise_exception then
    assert sqlerrm = 'security_definer_view: api.loose', sqlerrm;
end $$;
rollback;
