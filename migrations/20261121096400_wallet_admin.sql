-- wallet-admin: block, unblock, limits, payouts that need a person, money in suspense. Its figures: the next migration.
-- Why:       what staff may do to money is a short list, and each use of it leaves its reason, before and after.
-- Locks:     the wallet, payout or payment named, then wallets in id order (ledger.post).
-- Old code:  nothing calls these yet.
-- Undo:      drop the functions and the type created here.

create function people.is_staff() returns boolean language sql stable security definer set search_path = '' as $$
    select people.has_role(auth.uid(), 'admin', 'pdg')
$$;
comment on function people.is_staff is 'Whether the caller is an admin or the pdg; says nothing about anybody else.';

create type ledger.suspense_line as (entry_id uuid, type text, amount bigint, currency text, user_id uuid, payment_id uuid,
    created_at timestamptz, is_open boolean);

create function ledger.suspense_lines(wanted uuid default null) returns setof ledger.suspense_line
    language sql stable set search_path = '' as $$
    select e.transaction_id, t.type, e.amount, e.currency, coalesce(p.user_id, o.user_id), p.id, e.created_at,
           not exists (select from ledger.references r where r.reference_type = 'transaction'
               and r.reference_id = e.transaction_id::text and r.type = 'suspense_release')
      from ledger.accounts a
      join ledger.entries e on e.account_id = a.id
      join ledger.transactions t on t.created_at = e.created_at and t.id = e.transaction_id
      left join payments.payments p on p.id = case t.reference_type when 'payment' then t.reference_id::uuid end
      left join payments.payouts o on o.id = case t.reference_type when 'payout' then t.reference_id::uuid end
     where a.kind = 'suspense' and e.amount > 0 and (wanted is null or e.transaction_id = wanted)
$$;
comment on function ledger.suspense_lines is
    'Every amount that was put aside, or one, with whose it seems to be; open until it is released, once, whole. A chargeback
     that takes it back uses the same reference.';

-- ------------------------------------------------------------------------------------------------- what an admin names

create function ledger.reason_of(ask jsonb) returns text language plpgsql stable set search_path = '' as $$
declare
    reason text := core.text_field(ask, 'reason', 3, 500);
begin
    if reason is null then
        perform core.invalid('reason', 'is required');
    end if;
    return reason;
end $$;

create function ledger.limit_field(ask jsonb, field text) returns bigint language plpgsql stable set search_path = '' as $$
declare
    found text := ask ->> field;
begin
    -- As core.amount_field, but required, and 0 is a limit: nothing may leave.
    if jsonb_typeof(ask -> field) is distinct from 'number' or found !~ '^[0-9]{1,16}$'
        or found::bigint > 9007199254740991 then
        perform core.invalid(field, 'must be an integer from 0 to 9007199254740991, in the currency''s minor unit');
    end if;
    return found::bigint;
end $$;

create function ledger.not_ones_own(admin uuid, owner uuid) returns void language plpgsql set search_path = '' as $$
begin
    if owner = admin then
        perform core.refuse('FORBIDDEN', 403, 'somebody else must decide about your own money');
    end if;
end $$;

create function ledger.wallet_named(admin uuid, ask jsonb) returns ledger.wallets language plpgsql set search_path = '' as $$
declare
    by_id uuid := core.uuid_field(ask, 'wallet_id');
    owner uuid := core.uuid_field(ask, 'user_id');
    found ledger.wallets;
begin
    if by_id is null and owner is null then
        perform core.invalid('wallet_id', 'or user_id is required');
    end if;
    select * into found from ledger.wallets w
     where (by_id is null or w.id = by_id) and (owner is null or w.user_id = owner)
       and (by_id is not null and ask ->> 'currency' is null or w.currency = coalesce(ask ->> 'currency', 'GNF')) for update;
    perform ledger.not_ones_own(admin, coalesce(found.user_id, owner));
    if found.id is null then
        perform core.refuse('NOT_FOUND', 404, 'no such wallet');
    end if;
    return found;
end $$;

create function ledger.wallet_shown(wallet ledger.wallets) returns jsonb language sql stable set search_path = '' as $$
    select jsonb_build_object('id', wallet.id, 'user_id', wallet.user_id, 'currency', wallet.currency, 'status', wallet.status,
        'blocked_reason', wallet.blocked_reason, 'blocked_at', ledger.utc(wallet.blocked_at), 'blocked_by', wallet.blocked_by,
        'daily_limit', wallet.daily_limit, 'monthly_limit', wallet.monthly_limit)
$$;
comment on function ledger.wallet_shown is 'For staff and the audit log; no balance, and nothing personal.';

-- ------------------------------------------------------------------------------------------------------------- actions

create function ledger.admin_wallet(admin uuid, ask jsonb) returns jsonb language plpgsql set search_path = '' as $$
declare
    reason text := ledger.reason_of(ask);
    wallet ledger.wallets := ledger.wallet_named(admin, ask);
begin
    if ask ->> 'action' = 'block' then
        wallet := ledger.set_wallet_status(wallet.id, 'blocked', reason, admin);
    elsif ask ->> 'action' = 'close' then
        wallet := ledger.set_wallet_status(wallet.id, 'closed', reason, admin);
    elsif wallet.status <> 'blocked' then
        perform core.refuse('INVALID_STATE', 409, 'this wallet is ' || wallet.status);
    else
        wallet := ledger.set_wallet_status(wallet.id, 'active', reason, admin);
    end if;
    return jsonb_build_object('success', true, 'wallet', ledger.wallet_shown(wallet));
end $$;

create function ledger.admin_limits(admin uuid, ask jsonb) returns jsonb language plpgsql set search_path = '' as $$
declare
    reason text := ledger.reason_of(ask);
    was ledger.wallets := ledger.wallet_named(admin, ask);
    daily bigint := ledger.limit_field(ask, 'daily_limit');
    monthly bigint := ledger.limit_field(ask, 'monthly_limit');
    now_is ledger.wallets;
begin
    if daily > monthly then
        perform core.invalid('daily_limit', 'must not be above monthly_limit');
    end if;
    -- What one operation may move stays with ledger.wallet_limits: no wallet is raised above it.
    update ledger.wallets w set daily_limit = daily, monthly_limit = monthly where w.id = was.id returning * into now_is;
    perform core.audit('wallet_limits', 'wallet', was.id::text, ledger.wallet_shown(was),
        ledger.wallet_shown(now_is) || jsonb_build_object('reason', reason));
    return jsonb_build_object('success', true, 'wallet', ledger.wallet_shown(now_is));
end $$;

create function payments.payout_shown(o payments.payouts) returns jsonb language sql stable set search_path = '' as $$
    select jsonb_build_object('id', o.id, 'kind', o.kind, 'amount', o.amount, 'fee', o.fee, 'currency', o.currency,
        'method', o.method, 'status', o.status, 'provider_payout_id', o.provider_payout_id, 'provider_reference', o.reference)
$$;

create function payments.admin_settle_payout(admin uuid, ask jsonb) returns jsonb language plpgsql set search_path = '' as $$
declare
    wanted uuid := core.uuid_field(ask, 'payout_id');
    result text := ask ->> 'result';
    reference text := core.text_field(ask, 'provider_reference', 1, 200);
    reason text := ledger.reason_of(ask);
    was payments.payouts;
    now_is payments.payouts;
begin
    if wanted is null then
        perform core.invalid('payout_id', 'is required');
    elsif result is null or result not in ('completed', 'failed') then
        perform core.invalid('result', 'must be completed or failed');
    elsif result = 'completed' and reference is null then
        perform core.invalid('provider_reference', 'is required for completed');
    end if;
    select * into was from payments.payouts o where o.id = wanted for update;
    if not found then
        perform core.refuse('NOT_FOUND', 404, 'no such payout');
    end if;
    perform ledger.not_ones_own(admin, was.user_id);
    if was.status not in ('manual', 'unknown') then
        perform core.refuse('INVALID_STATE', 409, 'this payout is ' || was.status);
    end if;
    perform payments.finish_payout(was, result, reference);
    select * into now_is from payments.payouts o where o.id = wanted;
    perform core.audit('payout_settled', 'payout', wanted::text, payments.payout_shown(was),
        payments.payout_shown(now_is) || jsonb_build_object('reason', reason));
    return jsonb_build_object('success', true, 'payout', payments.payout_shown(now_is));
end $$;

create function ledger.release_to_user(receiver uuid, line ledger.suspense_line) returns uuid language plpgsql set search_path = '' as $$
begin
    if not exists (select from people.profiles p where p.id = receiver and p.deleted_at is null) then
        perform core.refuse('NOT_FOUND', 404, 'no such user');
    end if;
    perform core.outbox_add('push', jsonb_build_object('type', 'wallet_credited', 'user_id', receiver, 'amount', line.amount,
        'currency', line.currency), 'suspense_release:' || line.entry_id);
    return ledger.post('suspense_release', line.currency, array[
        (ledger.platform_account('suspense', line.currency), -line.amount)::ledger.leg,
        (ledger.wallet_for(receiver, line.currency), line.amount)::ledger.leg],
        'transaction', line.entry_id::text, line.amount, 0, 'released after a check');
end $$;

create function ledger.release_to_payer(paid payments.payments, line ledger.suspense_line) returns uuid language plpgsql set search_path = '' as $$
declare
    tx uuid;
begin
    if paid.user_id is null or payments.paying_number(paid) is null then
        perform core.refuse('INVALID_STATE', 409, 'the number that paid is not known: release it to a user');
    end if;
    tx := ledger.post('suspense_release', line.currency, array[
        (ledger.platform_account('suspense', line.currency), -line.amount)::ledger.leg,
        (ledger.platform_account('payout_clearing', line.currency), line.amount)::ledger.leg],
        'transaction', line.entry_id::text, line.amount);
    insert into payments.payouts (kind, user_id, amount, fee, currency, method, destination, transaction_id)
    values ('refund', paid.user_id, line.amount, 0, line.currency, paid.provider, paid.phone, tx);
    return tx;
end $$;
comment on function ledger.release_to_payer is 'A payout like any other: a rail sends it, or a person. Failed, it is in suspense again.';

create function ledger.admin_release(admin uuid, ask jsonb) returns jsonb language plpgsql set search_path = '' as $$
declare
    entry uuid := core.uuid_field(ask, 'entry_id');
    receiver uuid := core.uuid_field(ask, 'to_user_id');
    refund boolean := coalesce(ask -> 'refund', 'false') = 'true';
    reason text := ledger.reason_of(ask);
    line ledger.suspense_line;
    paid payments.payments;
    tx uuid;
begin
    if entry is null then
        perform core.invalid('entry_id', 'is required');
    elsif refund = (receiver is not null) then
        perform core.invalid('to_user_id', 'or refund is required, and not both');
    end if;
    -- Locked: one at a time, and never beside a settlement, a refund or a chargeback of the same payment.
    perform pg_advisory_xact_lock(hashtextextended('suspense:' || entry, 0));
    select * into line from ledger.suspense_lines(entry);
    select * into paid from payments.payments p where p.id = line.payment_id for update;
    select * into line from ledger.suspense_lines(entry);
    if line.entry_id is null then
        perform core.refuse('NOT_FOUND', 404, 'nothing was put aside under this id');
    end if;
    perform ledger.not_ones_own(admin, line.user_id), ledger.not_ones_own(admin, receiver);
    if not line.is_open then
        perform core.refuse('INVALID_STATE', 409, 'this amount was released already');
    elsif paid.disputed_at is not null then
        perform core.refuse('INVALID_STATE', 409, 'the payer''s bank is asking for this money');
    end if;
    tx := case when refund then ledger.release_to_payer(paid, line) else ledger.release_to_user(receiver, line) end;
    perform core.audit('suspense_released', 'transaction', entry::text, to_jsonb(line),
        jsonb_build_object('transaction_id', tx, 'to_user_id', receiver, 'refund', refund, 'reason', reason));
    return jsonb_build_object('success', true, 'entry_id', entry, 'transaction_id', tx, 'amount', line.amount,
        'currency', line.currency, 'refund', refund);
end $$;

-- ---------------------------------------------------------------------------------------------------------------- door

create function ledger.administer(admin uuid, ask jsonb) returns jsonb language plpgsql set search_path = '' as $$
declare
    answer jsonb;
begin
    if ask ->> 'action' = 'stats' then
        return ledger.stats(ask);
    end if;
    answer := core.replay('wallet-admin', ask);
    if answer is not null then
        return answer;
    end if;
    case ask ->> 'action'
        when 'block', 'unblock', 'close' then answer := ledger.admin_wallet(admin, ask);
        when 'set_limits' then answer := ledger.admin_limits(admin, ask);
        when 'settle_payout' then answer := payments.admin_settle_payout(admin, ask);
        when 'release_suspense' then answer := ledger.admin_release(admin, ask);
        else perform core.invalid('action', 'must be block, unblock, close, set_limits, settle_payout, release_suspense or stats');
    end case;
    return core.remember('wallet-admin', ask, answer);
end $$;

create function ledger.wallet_admin(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    admin uuid := core.caller();
    said text;
    status text;
    refusal jsonb;
begin
    if not people.is_staff() then
        perform core.refuse('FORBIDDEN', 403, 'this is for administrators');
    end if;
    begin
        return ledger.administer(admin, ask);
    exception when sqlstate 'PGRST' then
        get stacked diagnostics said = message_text, status = pg_exception_detail;
    end;
    -- Nothing has moved, and that it was tried is kept: refusals are answered, not raised.
    refusal := said::jsonb;
    perform core.audit('wallet_admin_refused', 'wallet_admin', left(coalesce(ask ->> 'action', ''), 40), null,
        jsonb_build_object('ask', left(ask::text, 2000), 'code', refusal ->> 'code'));
    return ledger.refusal(refusal ->> 'code', (status::jsonb ->> 'status')::integer, refusal ->> 'message',
        (refusal ->> 'details')::jsonb, refusal ->> 'hint');
end $$;
comment on function ledger.wallet_admin is
    'The role is read here, in the transaction of the work. There is no action that sets a balance: a correction is a transfer
     from a named account.';

create function api.wallet_admin(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return ledger.wallet_admin(ask);
revoke execute on all functions in schema api, ledger, payments, people from public;
grant execute on function ledger.wallet_admin(jsonb), api.wallet_admin(jsonb) to authenticated;
