-- What a wallet held at any instant, and its statement in pages.
-- Why:       a balance at an instant is read from the lines, not remembered; a page goes on where the last one ended, however
--            many lines arrive meanwhile.
-- Locks:     builds one index on ledger.transactions, over a column that is still empty.
-- Old code:  keeps working; nothing it reads changes.
-- Undo:      drop function api.wallet_balance_at(jsonb), api.wallet_statement(jsonb), and the functions and index created here.

create index transactions_backdated on ledger.transactions (effective_at) where effective_at is not null;

create function ledger.balance_at(account uuid, at timestamptz) returns bigint language sql stable set search_path = '' as $$
    -- A wallet's last line says it; of the others, which carry no balance, the lines are added up.
    select case when exists (select from ledger.wallets w where w.id = account)
        then coalesce((select e.balance_after from ledger.entries e where e.account_id = account and e.created_at <= at
                        order by e.created_at desc, e.transaction_id desc limit 1), 0)
        else coalesce((select sum(e.amount) from ledger.entries e where e.account_id = account and e.created_at <= at), 0)::bigint end
$$;
comment on function ledger.balance_at is
    'By recorded time: what we knew at that instant. What was booked later is not in it, whenever it happened, so the answer for
     a past instant never changes.';

create function ledger.balance_effective_at(account uuid, at timestamptz) returns bigint language sql stable set search_path = '' as $$
    select ledger.balance_at(account, at) + coalesce((select sum(e.amount) from ledger.transactions t
        join ledger.entries e on e.created_at = t.created_at and e.transaction_id = t.id and e.account_id = account
       where t.effective_at <= at and t.created_at > at), 0)::bigint
$$;
comment on function ledger.balance_effective_at is
    'By effective time: what was true at that instant, as far as we know today. Counts coalesce(effective_at, created_at); the
     answer for a past instant changes when something is booked late. For reports: limits, floors and seals go by recorded time.';

create function ledger.time_field(ask jsonb, field text) returns timestamptz language plpgsql stable set search_path = '' as $$
declare
    found text := ask ->> field;
begin
    if found is null then
        return null;
    elsif jsonb_typeof(ask -> field) = 'string'
        and found ~* '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$' then
        return found::timestamptz;
    end if;
    perform core.invalid(field, 'must be a time as in 2026-01-31T12:00:00Z');
    return null;
exception when datetime_field_overflow or invalid_datetime_format or invalid_time_zone_displacement_value then
    perform core.invalid(field, 'is no time');
    return null;
end $$;

create function ledger.own_currency(ask jsonb) returns text language plpgsql stable set search_path = '' as $$
declare
    cur text := coalesce(core.text_field(ask, 'currency', 3, 3), 'GNF');
begin
    if not exists (select from core.currencies c where c.code = cur) then
        perform core.invalid('currency', 'is not a currency of ours');
    end if;
    return cur;
end $$;

create function ledger.wallet_balance_at(ask jsonb) returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
    owner uuid := core.caller();
    cur text := ledger.own_currency(ask);
    at timestamptz := ledger.time_field(ask, 'at');
begin
    if at is null then
        perform core.invalid('at', 'is required');
    elsif at > clock_timestamp() then
        perform core.invalid('at', 'must not be in the future');
    end if;
    -- No wallet yet: it held nothing, and reading makes none.
    return jsonb_build_object('success', true, 'currency', cur, 'balance', coalesce((select ledger.balance_at(w.id, at)
        from ledger.wallets w where w.user_id = owner and w.currency = cur), 0), 'at', ledger.utc(at));
end $$;

-- ----------------------------------------------------------------------------------------------------------- statement

create type ledger.place as (created_at timestamptz, transaction_id uuid);
comment on type ledger.place is 'Of a line in a wallet''s statement: a transaction has at most one line for an account.';

create function ledger.cursor_of(place ledger.place) returns text language sql stable set search_path = '' as $$
    select translate(encode(convert_to(ledger.utc(place.created_at) || ' ' || place.transaction_id, 'UTF8'), 'base64'), E'+/=\n', '-_')
$$;

create function ledger.place_of(ask jsonb) returns ledger.place language plpgsql stable set search_path = '' as $$
declare
    given text := core.text_field(ask, 'cursor', 1, 200);
    plain text;
    place ledger.place;
begin
    if given is null then
        return row('infinity', 'ffffffff-ffff-ffff-ffff-ffffffffffff')::ledger.place;
    end if;
    plain := convert_from(decode(translate(given, '-_', '+/') || repeat('=', -length(given) & 3), 'base64'), 'UTF8');
    place := row(split_part(plain, ' ', 1), split_part(plain, ' ', 2))::ledger.place;
    if ledger.cursor_of(place) is distinct from given then
        perform core.invalid('cursor', 'is none of ours');
    end if;
    return place;
exception when data_exception then   -- What is no base64, no text, no time or no id.
    perform core.invalid('cursor', 'is none of ours');
    return null;
end $$;

create function ledger.statement_lines(wallet uuid, since timestamptz, until timestamptz, after ledger.place, most integer)
    returns jsonb language sql stable set search_path = '' as $$
    select coalesce(jsonb_agg(jsonb_build_object('id', l.transaction_id, 'type', t.type, 'amount', l.amount,
               'balance_after', l.balance_after, 'fee', t.fee, 'description', t.description, 'reference_type', t.reference_type,
               'reference_id', t.reference_id, 'created_at', ledger.utc(l.created_at), 'effective_at', ledger.utc(t.effective_at))
               order by l.created_at desc, l.transaction_id desc), '[]')
      from (select e.created_at, e.transaction_id, e.amount, e.balance_after from ledger.entries e
             where e.account_id = wallet and e.created_at >= since and e.created_at < until
               and (e.created_at, e.transaction_id) < ((after).created_at, (after).transaction_id)
             order by e.created_at desc, e.transaction_id desc limit most) l
      join ledger.transactions t on t.created_at = l.created_at and t.id = l.transaction_id
$$;

create function ledger.wallet_statement(ask jsonb) returns jsonb language plpgsql stable security definer set search_path = ''
    set plan_cache_mode = force_custom_plan as $$
declare
    owner uuid := core.caller();
    cur text := ledger.own_currency(ask);
    wallet uuid := (select w.id from ledger.wallets w where w.user_id = owner and w.currency = cur);
    since timestamptz := coalesce(ledger.time_field(ask, 'from'), '-infinity');
    until timestamptz := coalesce(ledger.time_field(ask, 'to'), clock_timestamp());
    most integer := least(coalesce(core.amount_field(ask, 'limit'), 20), 101);
    lines jsonb;
    more boolean;
    tick interval := '1 microsecond';   -- The smallest step of time there is: before an instant is at the one before it.
begin
    if most > 100 then
        perform core.invalid('limit', 'must be an integer from 1 to 100');
    elsif since > until then
        perform core.invalid('from', 'must not be after to');
    end if;
    lines := ledger.statement_lines(wallet, since, until, ledger.place_of(ask), most + 1);
    more := jsonb_array_length(lines) > most;
    if more then
        lines := lines - most;
    end if;
    return jsonb_build_object('success', true, 'currency', cur, 'from', ledger.utc(nullif(since, '-infinity')), 'to', ledger.utc(until),
        'opening_balance', coalesce(ledger.balance_at(wallet, since - tick), 0),
        'closing_balance', coalesce(ledger.balance_at(wallet, until - tick), 0), 'lines', lines,
        'next_cursor', case when more then ledger.cursor_of(row((lines -> -1 ->> 'created_at')::timestamptz,
            (lines -> -1 ->> 'id')::uuid)::ledger.place) end);
end $$;
comment on function ledger.wallet_statement is
    'The caller''s lines, newest first: from inclusive, to exclusive (default: now). The balances are those of the whole range, on
     every page: opening + all its amounts = closing. Send the same from and to with next_cursor.';

create function api.wallet_balance_at(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return ledger.wallet_balance_at(ask);
create function api.wallet_statement(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return ledger.wallet_statement(ask);

revoke execute on all functions in schema api, ledger from public;
grant execute on function ledger.wallet_balance_at(jsonb), api.wallet_balance_at(jsonb), ledger.wallet_statement(jsonb),
    api.wallet_statement(jsonb) to authenticated;
