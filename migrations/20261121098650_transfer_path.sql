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

create or replace function ledger.transfer(ask jsonb) returns jsonb language plpgsql set search_path = '' as $$
declare
    sender uuid := auth.uid();
    cur text := coalesce(ask ->> 'currency', 'GNF');
    amount bigint := (ask ->> 'amount')::bigint;   -- Read by ledger.wallet_operations, as the caller.
    fee bigint;
    given text := ask ->> 'recipient_id';
    -- Whoever is named by his id is looked up together with the wallets.
    receiver uuid := case when core.is_uuid(given) then given::uuid else ledger.recipient(ask) end;
    pair record;
    verdict ledger.verdict;
    legs ledger.leg[];
    tx uuid;
    body jsonb;
begin
    if receiver = sender then
        perform ledger.recipient(ask), core.refuse('SELF_TRANSFER', 409, 'you cannot transfer to yourself');
    end if;
    fee := ledger.fee('transfer', cur, amount);
    loop
        -- In the order of their ids, and none sooner than it must: a recipient's that comes after the sender's is locked when the
        -- money moves, by ledger.post, which looks at its status again. Many who pay one wallet wait less for each other.
        with held as materialized (
            select w as wallet, w.id, w.user_id from ledger.wallets w
             where w.user_id = any (array[sender, receiver]) and w.currency = cur
               and w.id <= (select x.id from ledger.wallets x where x.user_id = sender and x.currency = cur)
             order by w.id for update
        )
        select s.wallet, s.id as from_wallet, r.id as to_wallet, r.status, p.id as receiver, (select a.id from ledger.accounts a
                 where a.kind = 'platform_fees' and a.currency = cur and a.kind not in ('user_wallet', 'store_balance')) as fees
          into pair from (select) one left join held s on s.user_id = sender
          left join ledger.wallets r on r.user_id = receiver and r.currency = cur
          left join people.profiles p on p.id = receiver and p.deleted_at is null;
        if pair.receiver is null then
            perform ledger.recipient(ask);   -- Says no.
        end if;
        exit when pair.from_wallet is not null and pair.to_wallet is not null;
        -- In one order for both directions: each may have to be made, which waits for whoever is making it.
        perform ledger.wallet_for(least(sender, receiver), cur), ledger.wallet_for(greatest(sender, receiver), cur);
    end loop;
    if ask ->> 'idempotency_key' is null then
        perform ledger.refuse_repeat(pair.from_wallet, 'transfer', amount, pair.to_wallet, null, ask);
    end if;
    if pair.status <> 'active' then
        perform core.refuse('RECIPIENT_UNAVAILABLE', 409, 'the recipient cannot receive money now');
    end if;
    verdict := ledger.judge(pair.wallet, amount, fee, pair.to_wallet, 'transfer');
    if verdict.refused is not null then
        return verdict.refused;
    end if;
    legs := array[row(pair.from_wallet, -(amount + fee)), row(pair.to_wallet, amount)];
    if fee > 0 then
        legs := legs || row(coalesce(pair.fees, ledger.platform_account('platform_fees', cur)), fee)::ledger.leg;
    end if;
    tx := ledger.post('transfer', cur, legs, null, null, amount, fee,
        case when ask ->> 'description' is not null then core.text_field(ask, 'description', 0, 200) end);
    body := jsonb_build_object('success', true, 'operation', 'transfer', 'new_balance', (pair.wallet).balance - amount - fee,
        'transaction_id', tx, 'transfer_code', 'TRF-' || upper(left(replace(tx::text, '-', ''), 12)), 'amount', amount,
        'fee', fee, 'total', amount + fee, 'currency', cur);
    -- One statement for what ledger.note, core.outbox_add and core.remember write each for themselves: half their cost.
    with request as (
        select core.request_id() as id
    ), scored as (
        insert into ledger.fraud_detection_logs (user_id, recipient_id, amount, score, level, flags, decision, request_id)
        select sender, pair.to_wallet, amount, verdict.score, verdict.level, verdict.flags, verdict.decision, r.id from request r
    ), logged as (
        insert into ledger.wallet_logs (actor_id, operation, currency, amount, outcome, request_id)
        select sender, 'transfer', cur, amount, 'ok', r.id from request r
    ), known as (
        insert into ledger.known_recipients values (pair.from_wallet, pair.to_wallet) on conflict do nothing
    ), told as (
        insert into core.outbox (channel, payload, dedupe_key)
        values ('push', jsonb_build_object('type', 'transfer_received', 'user_id', receiver, 'amount', amount, 'currency', cur),
            'transfer_received:' || tx)
    )
    insert into core.idempotency_keys (caller, function, key, fingerprint, status, body)
    select sender, 'wallet-operations', ask ->> 'idempotency_key', core.fingerprint(ask), 200, body
     where ask ->> 'idempotency_key' is not null;
    return body;
end $$;

revoke execute on all functions in schema ledger from public;
