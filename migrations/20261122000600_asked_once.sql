-- A transfer reads once who asks, and what is plainly right is not read twice.
-- Why:       the token was read four times and the headers twice, each time from their text; whether a text is a UUID was told by
--            replacing each of its digits.
-- Locks:     none.
-- Old code:  keeps working: without the new argument core.replay and ledger.transfer do what they did. Answers, refusals, codes and
--            their order are those of before.
-- Undo:      drop core.replay and ledger.transfer; create them, core.is_uuid and ledger.wallet_operations as
--            20261122000300_shorter_transfer.sql, 20261122000200_fewer_calls.sql and those before do, and the comment.

-- ------------------------------------------------------------------------------------------------------ reading the ask

create or replace function core.is_uuid(given text) returns boolean language plpgsql immutable set search_path = '' as $$
begin
    -- Hyphens where they belong and nowhere else, and between them nothing but digits. To replace each digit costs twice as much.
    return given like '________-____-____-____-____________' and given not like '%-%-%-%-%-%'
        and ltrim(given, '0123456789abcdefABCDEF-') = '';
end $$;

-- ------------------------------------------------------------------------------------------------------- same key, once

drop function core.replay(text, jsonb);
create function core.replay(fn text, ask jsonb, asker uuid default auth.uid()) returns jsonb language plpgsql set search_path = '' as $$
declare
    wanted text := ask ->> 'idempotency_key';
    stored core.idempotency_keys;
begin
    if wanted is null then
        return null;
    elsif length(wanted) not between 8 and 255 or wanted ~ '[^!-~]' then
        perform core.idempotency_key(ask);   -- Says no.
    end if;
    if not pg_try_advisory_xact_lock(hashtextextended(asker || ':' || fn || ':' || wanted, 0)) then
        perform core.lock_key(asker || ':' || fn || ':' || wanted);   -- Says no, unless the other one has just ended.
    end if;
    select * into stored from core.idempotency_keys k where k.caller = asker and k.function = fn and k.key = wanted;
    if not found then
        return null;
    end if;
    if stored.fingerprint <> core.fingerprint(ask) then
        perform core.refuse('IDEMPOTENCY_MISMATCH', 422, 'this key was used for another request');
    end if;
    perform set_config('response.headers', '[{"Idempotent-Replayed": "true"}]', true);
    return core.answer(stored.body, stored.status);
end $$;
comment on function core.replay is 'Null when the request is fresh (or carries no key); else the first answer, to be returned as it is.';

-- ------------------------------------------------------------------------------------------------------------- transfer

drop function ledger.transfer(jsonb);
create function ledger.transfer(ask jsonb, sender uuid default auth.uid()) returns jsonb language plpgsql set search_path = '' as $$
declare
    cur text := coalesce(ask ->> 'currency', 'GNF');
    amount bigint := (ask ->> 'amount')::bigint;   -- Read by ledger.wallet_operations, as the caller.
    key text := ask ->> 'idempotency_key';
    given text := ask ->> 'recipient_id';
    -- Whoever is named by his id is looked up together with the wallets.
    receiver uuid := case when core.is_uuid(given) then given::uuid else ledger.recipient(ask) end;
    terms ledger.terms;
    fee bigint;
    there boolean;
    fees uuid;
    from_wallet uuid;
    to_wallet uuid;
    to_status text;
    wallet ledger.wallets;
    verdict ledger.verdict;
    legs ledger.leg[];
    tx uuid;
    body jsonb;
    request text;
begin
    if receiver = sender then
        perform ledger.recipient(ask), core.refuse('SELF_TRANSFER', 409, 'you cannot transfer to yourself');
    end if;
    select * into terms from ledger.terms t where t.currency = cur;
    fee := ledger.transfer_fee(terms, cur, amount);
    loop
        select s.id, r.id, r.status, p.id is not null, a.id into from_wallet, to_wallet, to_status, there, fees
          from (select) one
          left join ledger.wallets s on s.user_id = sender and s.currency = cur
          left join ledger.wallets r on r.user_id = receiver and r.currency = cur
          left join people.profiles p on p.id = receiver and p.deleted_at is null
          left join ledger.accounts a on a.kind = 'platform_fees' and a.currency = cur and a.kind not in ('user_wallet', 'store_balance');
        if not there then
            perform ledger.recipient(ask);   -- Says no.
        end if;
        exit when from_wallet is not null and to_wallet is not null;
        -- In one order for both directions: each may have to be made, which waits for whoever is making it.
        perform ledger.wallet_for(least(sender, receiver), cur), ledger.wallet_for(greatest(sender, receiver), cur);
    end loop;
    -- In the order of their ids, and none sooner than it must: a recipient's that comes after the sender's is locked when the money
    -- moves, by ledger.post, which looks at its status again. Many who pay one wallet wait less for each other.
    if to_wallet < from_wallet then
        select w.status into to_status from ledger.wallets w where w.id = to_wallet for update;
    end if;
    wallet := (select w from ledger.wallets w where w.id = from_wallet for update);
    if key is null then
        perform ledger.refuse_repeat(from_wallet, 'transfer', amount, to_wallet, null, ask);
    end if;
    if to_status <> 'active' then
        perform core.refuse('RECIPIENT_UNAVAILABLE', 409, 'the recipient cannot receive money now');
    end if;
    verdict := ledger.judge(wallet, amount, fee, to_wallet, 'transfer', terms);
    if verdict.refused is not null then
        return verdict.refused;
    end if;
    if fee > 0 then
        legs := array[row(from_wallet, -(amount + fee))::ledger.leg, row(to_wallet, amount)::ledger.leg,
            row(coalesce(fees, ledger.platform_account('platform_fees', cur)), fee)::ledger.leg];
    else
        legs := array[row(from_wallet, -amount)::ledger.leg, row(to_wallet, amount)::ledger.leg];
    end if;
    request := core.request_id();
    tx := ledger.post('transfer', cur, legs, null, null, amount, fee,
        case when ask ->> 'description' is not null then core.text_field(ask, 'description', 0, 200) end, null, sender, request);
    body := jsonb_build_object('success', true, 'operation', 'transfer', 'new_balance', wallet.balance - amount - fee,
        'transaction_id', tx, 'transfer_code', 'TRF-' || upper(left(replace(tx::text, '-', ''), 12)), 'amount', amount,
        'fee', fee, 'total', amount + fee, 'currency', cur);
    -- One statement for what ledger.note, core.outbox_add and core.remember write each for themselves: half their cost. Of each kind a
    -- transfer leaves one row, which takes its id: a random number costs more than its place in an index.
    with scored as (
        insert into ledger.fraud_detection_logs (id, user_id, recipient_id, amount, score, level, flags, decision, request_id)
        values (tx, sender, to_wallet, amount, verdict.score, verdict.level, verdict.flags, verdict.decision, request)
    ), logged as (
        insert into ledger.wallet_logs (id, actor_id, operation, currency, amount, outcome, request_id)
        values (tx, sender, 'transfer', cur, amount, 'ok', request)
    ), told as (
        insert into core.outbox (id, channel, payload, dedupe_key)
        values (tx, 'push', jsonb_build_object('type', 'transfer_received', 'user_id', receiver, 'amount', amount, 'currency', cur),
            'transfer_received:' || tx)
    )
    insert into core.idempotency_keys (caller, function, key, fingerprint, status, body)
    select sender, 'wallet-operations', key, core.fingerprint(ask), 200, body where key is not null;
    if verdict.new_recipient then
        insert into ledger.known_recipients values (from_wallet, to_wallet) on conflict do nothing;
    end if;
    return body;
end $$;

create or replace function ledger.wallet_operations(ask jsonb) returns jsonb language plpgsql security definer set search_path = ''
    set plan_cache_mode = force_generic_plan as $$
declare
    caller uuid := auth.uid();
    first_answer jsonb;
begin
    if caller is null then
        perform core.caller();   -- Says no.
    end if;
    -- What is plainly an amount is not read twice.
    if (jsonb_typeof(ask -> 'amount') = 'number' and ask ->> 'amount' ~ '^[1-9][0-9]{0,14}$') is not true
        and core.amount_field(ask, 'amount') is null then
        perform core.invalid('amount', 'is required');
    elsif ask ->> 'operation' = 'preview' then
        return ledger.preview(ask);
    end if;
    first_answer := core.replay('wallet-operations', ask, caller);
    if first_answer is not null then
        return first_answer;
    end if;
    case ask ->> 'operation'
        when 'transfer' then return ledger.transfer(ask, caller);
        when 'withdraw' then return ledger.withdraw(ask);
        else perform core.invalid('operation', 'must be preview, deposit, withdraw or transfer');
    end case;
    return null;
end $$;

revoke execute on all functions in schema core, ledger from public;
