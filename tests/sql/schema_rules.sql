-- Rules about every table and function of ours, asked of the catalogue after all migrations. Each message says what to do.
begin;
\ir lib/declared.psql

create temporary view house_schemas as
select oid, nspname from pg_namespace
 where nspname !~ '^pg_' and nspname not in ('information_schema', 'public', 'extensions', 'migrations', 'auth', 'storage',
     'realtime', 'vault', 'graphql', 'graphql_public', 'net', 'cron', 'supabase_functions', 'supabase_migrations');

create temporary view house_functions as
select p.oid, p.oid::regprocedure::text as name, p.prosecdef, p.proconfig, p.proacl, p.proowner, n.nspname
  from pg_proc p join house_schemas n on n.oid = p.pronamespace
 where p.prokind in ('f', 'p') and not exists (
     select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e');

create temporary view house_tables as
select c.oid, format('%I.%I', n.nspname, c.relname) as name, c.relkind, c.relrowsecurity, c.relacl, c.relowner, n.nspname
  from pg_class c join house_schemas n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p', 'v', 'm');

create function pg_temp.none(offenders text, advice text) returns void language plpgsql as $$
begin
    assert offenders is null, advice || ': ' || offenders;
end $$;

-- `api` is a window, not a room.
select pg_temp.none(string_agg(name, ', '), 'is security definer: move it to the schema of its domain')
  from house_functions where nspname = 'api' and prosecdef;

select pg_temp.none(string_agg(name, ', '), 'is a table in the exposed schema: move it, and show a view')
  from house_tables where nspname = 'api' and relkind not in ('v');

select pg_temp.none(string_agg(t.name, ', '), 'runs with its owner''s rights: create it with (security_invoker = true)')
  from house_tables t join pg_class c on c.oid = t.oid
 where t.nspname = 'api' and t.relkind = 'v'
   and not coalesce(c.reloptions && array['security_invoker=true', 'security_invoker=on'], false);

-- Row-level security on every table, exposed or not: a grant too many then shows nothing.
select pg_temp.none(string_agg(name, ', '), 'has no row-level security: alter table … enable row level security')
  from house_tables where relkind in ('r', 'p') and not relrowsecurity;

-- Deleting or locking a parent never scans its children.
select pg_temp.none(string_agg(k.conrelid::regclass || ' (' || k.conname || ')', ', '),
    'is a foreign key without an index that begins with its columns')
  from pg_constraint k join house_schemas n on n.oid = k.connamespace
 where k.contype = 'f' and k.conparentid = 0 and not exists (
     select from pg_index i
      where i.indrelid = k.conrelid and i.indisvalid
        and (select array_agg(column_number) from unnest((i.indkey::int2[])[0:cardinality(k.conkey) - 1]) column_number)
            @> k.conkey);

-- Money is an integer of minor units.
select pg_temp.none(string_agg(t.name || '.' || a.attname, ', '), 'is no integer: amounts are bigint, shares are basis points')
  from pg_attribute a join house_tables t on t.oid = a.attrelid
 where a.attnum > 0 and not a.attisdropped
   and a.atttypid in ('numeric'::regtype, 'money'::regtype, 'real'::regtype, 'double precision'::regtype)
   and a.attname ~ '(amount|balance|fee|price|fare|total|cost|payout|commission|budget|limit)';

-- A name is resolved where it was written, not where its caller stands.
select pg_temp.none(string_agg(name, ', '), 'sets no search_path: set search_path = '''', and write schemas out')
  from house_functions f
 where not exists (select from unnest(proconfig) setting where setting in ('search_path=""', 'search_path='));

-- Execution is granted to names, never to everybody.
select pg_temp.none(string_agg(name, ', '), 'may be executed by everybody: revoke execute … from public')
  from house_functions f
 where exists (
     select from aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) grants
      where grants.grantee = 0 and grants.privilege_type = 'EXECUTE');

-- Nobody from outside writes a table; functions do.
select pg_temp.none(string_agg(distinct t.name || ' to ' || grants.grantee::regrole, ', '),
    'can be written from outside: revoke insert, update, delete, truncate')
  from house_tables t
 cross join aclexplode(coalesce(t.relacl, acldefault('r', t.relowner))) grants
 where grants.privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER')
   and (grants.grantee = 0 or grants.grantee in (
       select oid from pg_roles where rolname in ('anon', 'authenticated', 'service_role', 'authenticator')));

-- A stranger may call what is declared, and everything declared exists.
select pg_temp.none(string_agg(coalesce(f.name, d.function), ', '),
    'can be called without a token: revoke it from anon, or declare it in tests/sql/lib/declared.psql; or is declared and closed')
  from (select name from house_functions where nspname = 'api' and has_function_privilege('anon', oid, 'execute')) f
  full join declared d on d.function = f.name
 where f.name is null or d.function is null;

rollback;
