-- Identity: what is removed once it can do nothing any more: links, idle sessions, used tokens, old failed sign-ins.
-- Why:       tables that grow with sign-ins would grow for ever, and a link in the outbox is a key lying about.
-- Locks:     core.outbox while the index is built: before the first release, no rows to wait for. The cleaning itself skips
--            what somebody is using, and takes at most 10000 rows of a kind.
-- Old code:  keeps working; what is removed was refused already.
-- Undo:      drop function api.identity_clean(jsonb), identity.clean(jsonb); drop index core.outbox_links;

-- Small for ever: a row leaves it when its link goes.
-- squawk-ignore require-concurrent-index-creation
create index outbox_links on core.outbox (created_at) where channel = 'email' and payload ? 'link';

create function identity.clean(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    idle interval := make_interval(days => core.setting('session_idle_days')::integer);
    tokens integer;
    used integer;
    sessions integer;
    logins integer;
    links integer;
begin
    delete from auth.one_time_tokens t where t.id in (
        select x.id from auth.one_time_tokens x
         where x.created_at < now() at time zone 'UTC' - make_interval(secs => core.setting('one_time_token_seconds'))
         limit 10000 for update skip locked);
    get diagnostics tokens = row_count;
    delete from auth.sessions s where s.id in (
        select x.id from auth.sessions x
         where x.not_after <= now() or coalesce(x.refreshed_at at time zone 'UTC', x.created_at, '-infinity') < now() - idle
         limit 10000 for update skip locked);
    get diagnostics sessions = row_count;
    -- Used ones are kept as long as a session may sleep: until then a second use betrays a thief.
    delete from auth.refresh_tokens t where t.id in (
        select x.id from auth.refresh_tokens x where x.revoked and x.updated_at < now() - idle limit 10000 for update skip locked);
    get diagnostics used = row_count;
    delete from people.failed_logins f where f.id in (
        select x.id from people.failed_logins x where x.at < now() - interval '1 day' limit 10000 for update skip locked);
    get diagnostics logins = row_count;
    -- The mail stays as a record; its link has been dead for a day.
    update core.outbox o set payload = o.payload - 'link' where o.id in (
        select x.id from core.outbox x
         where x.channel = 'email' and x.payload ? 'link' and x.payload ->> 'type' like 'auth.%' and x.created_at < now() - interval '1 day'
         limit 10000 for update skip locked);
    get diagnostics links = row_count;
    return jsonb_build_object('tokens', tokens, 'sessions', sessions, 'used_tokens', used, 'failed_logins', logins, 'links', links);
end $$;

create function api.identity_clean(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return identity.clean(ask);

revoke execute on all functions in schema api, identity from public;
grant execute on function identity.clean(jsonb), api.identity_clean(jsonb) to service_role;
