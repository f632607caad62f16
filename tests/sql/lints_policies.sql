-- Supabase's database lints about row-level security: policies that do nothing, too much, or the same work for every row.
begin;
\ir lib/lints.psql

create temporary view policy_exists_rls_disabled as
select distinct r.name as object from house_relations r join pg_policy p on p.polrelid = r.oid where not r.relrowsecurity;

-- A user writes his own user_metadata, so no rule may read it; by whatever road it reaches the policy.
create temporary view rls_references_user_metadata as
select name as object from house_policies
 where qual || ' ' || with_check ~ 'user_meta_?data';

-- Asked once per statement when it stands in a select of its own, else once per row. Supabase's rule passes a policy that
-- wraps one call of two; here what is wrapped is taken away first.
create temporary view auth_rls_initplan as
select name as object
  from house_policies, regexp_replace(qual || ' ' || with_check, 'select (auth\.(uid|jwt|role|email)\(\)|current_setting\([^()]*\)|core\.(caller|claim)\([^()]*\))', '', 'g') bare
 where relrowsecurity and bare ~ '(auth\.(uid|jwt|role|email)|current_setting|core\.(caller|claim))\(';

create temporary view multiple_permissive_policies as
select format('%s to %s for %s', r.name, o.rolname, command) as object
  from pg_policy p
  join house_relations r on r.oid = p.polrelid
  join pg_roles o on (p.polroles @> array[o.oid] or p.polroles = array[0::oid])
 cross join unnest(case p.polcmd when 'r' then '{SELECT}' when 'a' then '{INSERT}' when 'w' then '{UPDATE}' when 'd' then '{DELETE}'
                                 else '{SELECT,INSERT,UPDATE,DELETE}' end::text[]) command
 where p.polpermissive and o.rolname !~ '^pg_' and o.rolname not like 'supabase%admin' and not o.rolbypassrls
 group by r.name, o.rolname, command having count(*) > 1;

-- Everything may be read on purpose; nothing may be written by everybody.
create temporary view rls_policy_always_true as
select name as object
  from house_policies, translate(qual, E' \n\t()', '') using_, translate(with_check, E' \n\t()', '') check_
 where relrowsecurity and permissive and roles && array['public', 'anon', 'authenticated']::name[]
   and ((cmd in ('UPDATE', 'DELETE', 'ALL') and (using_ in ('true', '1=1') or no_qual))
     or check_ in ('true', '1=1') or (cmd = 'INSERT' and no_check));

-- Nobody sees a row, and that is right where nobody was let in: most of our tables are read by functions alone. A grant
-- without a policy is a door that somebody forgot to open, or to wall up.
create temporary view rls_enabled_no_policy as
select r.name as object from house_relations r
 where r.relkind in ('r', 'p') and r.relrowsecurity and not exists (select from pg_policy p where p.polrelid = r.oid)
   and exists (
       select from pg_class c, aclexplode(c.relacl) g left join outsiders o on o.oid = g.grantee
        where c.oid = r.oid and (g.grantee = 0 or o.oid is not null)
       union all
       select from pg_attribute a, aclexplode(a.attacl) g left join outsiders o on o.oid = g.grantee
        where a.attrelid = r.oid and not a.attisdropped and (g.grantee = 0 or o.oid is not null));

select pg_temp.gate(rule) from unnest(array['policy_exists_rls_disabled', 'rls_references_user_metadata', 'auth_rls_initplan',
    'multiple_permissive_policies', 'rls_policy_always_true', 'rls_enabled_no_policy']) rule;

-- Each of them finds what it is there for.
savepoint clean;
create table core.notes (id integer primary key, user_id uuid, body text);
create policy notes_own on core.notes for select to authenticated using (user_id = (select auth.uid()));
select pg_temp.finds('policy_exists_rls_disabled', 'core.notes');
alter table core.notes enable row level security;
do $$
declare
    rule text;
    found text;
begin
    foreach rule in array array['policy_exists_rls_disabled', 'rls_references_user_metadata', 'auth_rls_initplan',
        'multiple_permissive_policies', 'rls_policy_always_true', 'rls_enabled_no_policy'] loop
        execute format('select string_agg(object, '', '') from pg_temp.%I where object like ''%%core.notes%%''', rule) into found;
        assert found is null, rule || ' finds fault with a good policy';
    end loop;
end $$;
savepoint good;

create policy staff on core.notes for update to authenticated using (core.claim('user_metadata') like '%admin%');
create policy staff_by_jwt on core.notes for delete to authenticated
    using ((select current_setting('request.jwt.claims', true))::jsonb #>> '{user_metadata,role}' = 'admin');
select pg_temp.finds('rls_references_user_metadata', 'staff on core.notes'), pg_temp.finds('rls_references_user_metadata', 'staff_by_jwt on core.notes'),
    pg_temp.finds('auth_rls_initplan', 'staff on core.notes');
do $$ begin assert not exists (select from pg_temp.auth_rls_initplan where object like 'staff_by_jwt%'), 'a wrapped setting is asked once'; end $$;
rollback to savepoint good;

create policy half on core.notes for update to authenticated using (user_id = (select auth.uid())) with check (user_id = auth.uid());
select pg_temp.finds('auth_rls_initplan', 'half on core.notes');
rollback to savepoint good;

create policy again on core.notes for all to public using (body = 'public');
select pg_temp.finds('multiple_permissive_policies', 'core.notes to authenticated for SELECT');
do $$ begin assert not exists (select from pg_temp.multiple_permissive_policies where object like '%service_role%'), 'it passes all policies by'; end $$;
rollback to savepoint good;

create policy anything on core.notes for update to authenticated using (1 = 1);
create policy anybody on core.notes for insert to anon with check (true);
create policy listed on core.notes for select to anon using (true);
create policy backend on core.notes for delete to service_role using (true);
select pg_temp.finds('rls_policy_always_true', 'anything on core.notes'), pg_temp.finds('rls_policy_always_true', 'anybody on core.notes');
do $$ begin assert (select count(*) = 2 from pg_temp.rls_policy_always_true), 'reading by all may be meant, and the backend is no outsider'; end $$;
rollback to savepoint good;

drop policy notes_own on core.notes;
do $$ begin assert not exists (select from pg_temp.rls_enabled_no_policy where object = 'core.notes'), 'closed on purpose'; end $$;
grant update (body) on core.notes to authenticated;
select pg_temp.finds('rls_enabled_no_policy', 'core.notes');
rollback;
