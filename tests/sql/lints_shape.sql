-- Supabase's database lints about tables, indexes, functions and extensions.
begin;
\ir lib/lints.psql

-- Auth may change its other unique columns under us; only the primary key is a promise.
create temporary view fkey_to_auth_unique as
select k.conrelid::regclass || ' (' || k.conname || ')' as object
  from pg_constraint k
  join pg_class target on target.oid = k.confrelid join pg_namespace n on n.oid = target.relnamespace
  join pg_index i on i.indexrelid = k.conindid
  join house_relations r on r.oid = k.conrelid
 where k.contype = 'f' and n.nspname = 'auth' and i.indisunique and not i.indisprimary;

create temporary view duplicate_index as
select string_agg(i.indexname, ' and ' order by i.indexname) || ' on ' || r.name as object
  from pg_indexes i join house_relations r on r.nspname = i.schemaname and r.relname = i.tablename
 group by r.name, regexp_replace(i.indexdef, '^CREATE (UNIQUE )?INDEX \S+ ', '\1') having count(*) > 1;

create temporary view function_search_path_mutable as
select p.oid::regprocedure::text as object
  from pg_proc p join house_schemas n on n.oid = p.pronamespace
 where not exists (select from unnest(p.proconfig) setting where setting like 'search\_path=%')
   and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e');

create temporary view extension_in_public as
select extname::text as object from pg_extension where extname <> 'plpgsql' and extnamespace = 'public'::regnamespace;

-- pg_upgrade refuses a database that stores them.
create temporary view unsupported_reg_types as
select r.name || '.' || a.attname as object
  from pg_attribute a join house_relations r on r.oid = a.attrelid
 where a.attnum > 0 and not a.attisdropped and a.atttypid = any (array['regcollation', 'regconfig', 'regdictionary', 'regnamespace',
     'regoper', 'regoperator', 'regproc', 'regprocedure']::regtype[]);

create temporary view extension_versions_outdated as
select e.name::text as object from pg_available_extensions e
  join pg_available_extension_versions v on v.name = e.name and v.installed
 where e.installed_version <> e.default_version;

create temporary view unindexed_foreign_keys as
select k.conrelid::regclass || ' (' || k.conname || ')' as object
  from pg_constraint k join house_relations r on r.oid = k.conrelid
 where k.contype = 'f' and not exists (
     select from pg_index i
      where i.indrelid = k.conrelid and i.indisvalid and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] = k.conkey);

create temporary view no_primary_key as
select r.name as object from house_relations r
 where r.relkind in ('r', 'p') and not exists (select from pg_index i where i.indrelid = r.oid and i.indisprimary);

insert into allowed values
    ('function_search_path_mutable', 'ledger.fold(bytea)', 'an aggregate has no settings of its own; ledger.fold_step, which it calls, has');

select pg_temp.gate(rule) from unnest(array['fkey_to_auth_unique', 'duplicate_index', 'function_search_path_mutable', 'extension_in_public',
    'unsupported_reg_types', 'extension_versions_outdated', 'unindexed_foreign_keys', 'no_primary_key']) rule;

-- Each of them finds what it is there for.
savepoint clean;
create unique index users_by_mail on auth.users (email);
create table core.letters (email text constraint letters_to references auth.users (email), user_id uuid constraint letters_of references auth.users, kind regproc);
select pg_temp.finds('fkey_to_auth_unique', 'core.letters (letters_to)'), pg_temp.finds('unindexed_foreign_keys', 'core.letters (letters_of)'),
    pg_temp.finds('unsupported_reg_types', 'core.letters.kind'), pg_temp.finds('no_primary_key', 'core.letters');
do $$ begin assert not exists (select from pg_temp.fkey_to_auth_unique where object like '%letters_of%'), 'the primary key is a promise'; end $$;
-- An index that begins with another column does not help.
create index letters_kind on core.letters (email, user_id);
select pg_temp.finds('unindexed_foreign_keys', 'core.letters (letters_of)');
create index letters_of on core.letters (user_id, email);
do $$ begin assert not exists (select from pg_temp.unindexed_foreign_keys where object like 'core.letters%'), 'both have theirs'; end $$;
alter table core.letters add primary key (email);
create unique index letters_twice on core.letters (email);
create index letters_plain on core.letters (email);
select pg_temp.finds('duplicate_index', 'letters_pkey and letters_twice on core.letters');
rollback to savepoint clean;

create function core.anywhere() returns integer language sql as $$ select 1 $$;
select pg_temp.finds('function_search_path_mutable', 'core.anywhere()');
rollback to savepoint clean;

do $$
declare
    it pg_available_extension_versions := pg_temp.some_extension();
begin
    assert it.name is not null, 'this Postgres has no extension to try the rules on';
    execute format('create extension %I schema public version %L', it.name, it.version);
    perform pg_temp.finds('extension_in_public', it.name), pg_temp.finds('extension_versions_outdated', it.name);
    execute format('alter extension %I update', it.name);
    assert not exists (select from pg_temp.extension_versions_outdated where object = it.name), 'the newest is not old';
end $$;
rollback;
