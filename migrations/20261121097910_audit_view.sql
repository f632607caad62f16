-- api.audit_logs: what was decided and by whom, newest first, for administrators.
-- Why:       an audit log that only a database session can read is read by nobody.
-- Locks:     core.audit_logs, for a moment.
-- Old code:  nothing calls these yet.
-- Undo:      drop view api.audit_logs; drop policy audit_logs_staff on core.audit_logs; drop function core.masked;
--            revoke execute on function people.is_staff() from authenticated; revoke select on core.audit_logs from authenticated;

create function core.masked(value jsonb, field text default '') returns jsonb language plpgsql immutable set search_path = '' as $$
begin
    -- By its name, whatever it holds.
    if jsonb_typeof(value) not in ('null', 'boolean') and field ~ '(^|_)(email|phone|destination|first_name|last_name|full_name|address|lat|lng|plate|iban|ip|pin|password|secret|token|hash|key)(_|$)'
        and field !~ '^(idempotency_key|key)$' then
        return '"***"';
    end if;
    return case jsonb_typeof(value)
        when 'object' then (select coalesce(jsonb_object_agg(e.key, core.masked(e.value, e.key)), '{}') from jsonb_each(value) e)
        when 'array' then (select coalesce(jsonb_agg(core.masked(e.value) order by e.place), '[]')
            from jsonb_array_elements(value) with ordinality e (value, place))
        -- By its looks, in what somebody wrote: an address, and a number of 8 digits or more that is no part of an id.
        when 'string' then to_jsonb(regexp_replace(regexp_replace(value #>> '{}', '[^[:space:]"<>@]+@[^[:space:]"<>@]+', '***', 'g'),
            '(?<![-0-9a-fA-F_])[+]?[0-9]([ .]?[0-9]){7,14}(?![-0-9a-fA-F_])', '***', 'g'))
        else value
    end;
end $$;
comment on function core.masked is
    'For eyes that need to know what was done and not to whom: personal fields and secrets become ***; ids and amounts stay.';

-- Asked once for all rows, and it says nothing about anybody but the caller.
grant execute on function people.is_staff() to authenticated;
create policy audit_logs_staff on core.audit_logs for select to authenticated using ((select people.is_staff()));
grant select on core.audit_logs to authenticated;

create view api.audit_logs with (security_invoker = true) as
    select a.id, a.actor_id, a.action, a.target_type, a.target_id, core.masked(a.old) as old, core.masked(a.new) as new,
           a.request_id, a.created_at
      from core.audit_logs a order by a.created_at desc, a.id desc;
comment on view api.audit_logs is 'Of administrators; empty to everybody else. The next page: created_at and id below the last ones.';

revoke execute on all functions in schema core from public;
grant select on api.audit_logs to authenticated;
grant execute on function core.masked(jsonb, text) to authenticated;
