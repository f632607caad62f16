-- A transfer asks once and notes once: both wallets, recipient and fee account in one query, all that it leaves in one statement.
-- Why:       a dozen statements stood around the posting, and the recipient's wallet was locked before the first of them.
-- Locks:     none. Wallets are locked in the order of their ids, as before; some recipients' later than before.
-- Old code:  keeps working; refusals, codes, texts and traces are those of before, and ledger.post is the only way money moves.
-- Undo:      create the two functions as 20261121093500_wallet_operations.sql does.

create or replace function ledger.recipient(ask jsonb) returns uuid language plpgsql stable set search_path = '' as $$
declare
    given text := core.text_field(ask, 'recipient_id', 1, 64);
    found uuid;
begin
    if given is null then
        perform core.refuse('RECIPIENT_REQUIRED', 400, 'recipient_id is required');
    end if;
    if core.is_uuid(given) then
        select p.id into found from people.profiles p where p.id = given::uuid and p.deleted_at is null;
    else
        select coalesce((select i.user_id from people.user_ids i join people.profiles p on p.id = i.user_id
                          where i.custom_id = upper(given) and p.deleted_at is null),
                        (select p.id from people.profiles p where p.public_id = upper(given) and p.deleted_at is null)) into found;
    end if;
    if found is null then
        perform core.refuse('RECIPIENT_NOT_FOUND', 404, 'no such recipient');
    end if;
    return found;
end $$;

create function ledger.transfer_fee(terms ledger.terms, currency text, amount bigint) returns bigint
    language plpgsql stable set search_path = '' as $$
declare
    due bigint;
begin
    if terms.fee_type is null then
        return ledger.fee('transfer', currency, amount);   -- A currency without terms.
    end if;
    -- As in core.bps.
    due := case terms.fee_type when 'fixed' then terms.fee_value else
        (amount / 10000) * terms.fee_value + (2 * (amount % 10000) * terms.fee_value + 10000) / 20000 end;
    return least(greatest(due, terms.min_fee), coalesce(terms.max_fee, due + terms.min_fee));
end $$;
comment on function ledger.transfer_fee is 'What ledger.fee says of a transfer, of terms that were read.';

create function ledger.note_transfer(sender uuid, receiver uuid, to_wallet uuid, cur text, moved bigint, tx uuid,
    verdict ledger.verdict, key text, ask jsonb, answer jsonb) returns void language plpgsql set search_path = '' as $$
declare
    request text := core.request_id();
begin
    -- One statement for what ledger.note, core.outbox_add and core.remember write each for themselves: half their cost.
    with scored as (
        insert into ledger.fraud_detection_logs (user_id, recipient_id, amount, score, level, flags, decision, request_id)
        values (sender, to_wallet, moved, verdict.score, verdict.level, verdict.flags, verdict.decision, request)
    ), logged as (
        insert into ledger.wallet_logs (actor_id, operation, currency, amount, outcome, request_id)
        values (sender, 'transfer', cur, moved, 'ok', request)
    ), told as (
        insert into core.outbox (channel, payload, dedupe_key)
        values ('push', jsonb_build_object('type', 'transfer_received', 'user_id', receiver, 'amount', moved, 'currency', cur),
            'transfer_received:' || tx)
    )
    insert into core.idempotency_keys (caller, function, key, fingerprint, status, body)
    select sender, 'wallet-operations', note_transfer.key, core.fingerprint(ask), 200, answer where note_transfer.key is not null;
end $$;

create or replace function ledger.transfer(ask jsonb) returns jsonb language plpgsql set search_path = '' as $$
declare
    sender uuid := auth.uid();
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
    select * into wallet from ledger.wallets w where w.id = from_wallet for update;
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
    legs := array[row(from_wallet, -(amount + fee)), row(to_wallet, amount)];
    if fee > 0 then
        legs := legs || row(coalesce(fees, ledger.platform_account('platform_fees', cur)), fee)::ledger.leg;
    end if;
    tx := ledger.post('transfer', cur, legs, null, null, amount, fee,
        case when ask ->> 'description' is not null then core.text_field(ask, 'description', 0, 200) end);
    body := jsonb_build_object('success', true, 'operation', 'transfer', 'new_balance', wallet.balance - amount - fee,
        'transaction_id', tx, 'transfer_code', 'TRF-' || upper(left(replace(tx::text, '-', ''), 12)), 'amount', amount,
        'fee', fee, 'total', amount + fee, 'currency', cur);
    perform ledger.note_transfer(sender, receiver, to_wallet, cur, amount, tx, verdict, key, ask, body);
    if verdict.new_recipient then
        insert into ledger.known_recipients values (from_wallet, to_wallet) on conflict do nothing;
    end if;
    return body;
end $$;

revoke execute on all functions in schema ledger from public;
