-- Housekeeping: what the hourly clock removes besides what identity does: answers to commands that nobody repeats any more.
-- Why:       core.idempotency_keys grows with every command; contracts/README promises a repeat its answer for a day.
-- Locks:     none; rows that a command holds are skipped, and at most 20000 go in one run.
-- Old code:  keeps working; ledger-close calls this from now on.
-- Undo:      drop function api.housekeep(jsonb), core.housekeep(jsonb); delete from core.settings where key = 'idempotency_hours';

insert into core.settings (key, value, unit, description) values
    ('idempotency_hours', 48, 'hours', 'How long a repeated command is answered with its first answer; 24 is promised.');

create function core.housekeep(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    keys integer;
begin
    delete from core.idempotency_keys k where (k.caller, k.function, k.key) in (
        select x.caller, x.function, x.key from core.idempotency_keys x
         where x.created_at < now() - make_interval(hours => greatest(24, core.setting('idempotency_hours'))::integer)
         order by x.created_at limit 20000 for update skip locked);
    get diagnostics keys = row_count;
    return identity.clean(ask) || jsonb_build_object('idempotency_keys', keys);
end $$;
comment on function core.housekeep is 'Removes what can do nothing any more; safe at any rate. Answers how many of each kind.';

create function api.housekeep(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return core.housekeep(ask);

revoke execute on function core.housekeep(jsonb), api.housekeep(jsonb) from public;
grant execute on function core.housekeep(jsonb), api.housekeep(jsonb) to service_role;
