-- A transfer says what it has to in fewer calls, and less of it about the receiver's wallet.
-- Why:       what the receiver's wallet does not need was read anew for it, and three random numbers were drawn for rows that one
--            could name.
-- Locks:     none.
-- Old code:  keeps working; answers, refusals, codes, texts and traces are those of before. The two logs and the outbox have one row
--            of a transfer each, whose id now is the transaction's.
-- Undo:      create the functions, ledger.note_transfer too, as 20261121098650_transfer_path.sql and 20261121098740_leaner_posting.sql do.

-- ------------------------------------------------------------------------------------------------------------ transfer

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
    request := core.request_id();
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
drop function ledger.note_transfer(uuid, uuid, uuid, text, bigint, uuid, ledger.verdict, text, jsonb, jsonb);

-- ------------------------------------------------------------------------------------------------------------- posting

create or replace function ledger.post(type text, currency text, legs ledger.leg[], reference_type text, reference_id text,
    amount bigint, fee bigint default 0, description text default null, effective_at timestamptz default null)
    returns uuid language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
    tx uuid := gen_random_uuid();
    at timestamptz;
    today date := (now() at time zone 'UTC')::date;
    spends boolean := type in ('transfer', 'withdrawal');
    giver bigint;
    givers integer := 0;
    place bigint := 0;
    of_leg ledger.leg;
    account uuid;
    part bigint;
    leg bigint;
    owner uuid;
    left_over bigint;
    -- By leg; null where it is no wallet's.
    owners uuid[] := array_fill(null::uuid, array[cardinality(legs)]);
    balances bigint[] := array_fill(null::bigint, array[cardinality(legs)]);
    sender uuid;
    sender_user uuid;
    sender_count bigint;
    sender_total bigint;
    counts bigint;
    totals bigint;
    receiver uuid;
    receiver_user uuid;
    getter bigint;
begin
    if coalesce(cardinality(legs), 0) < 2 then
        raise exception 'posting %: money has a from and a to', type;
    end if;
    foreach of_leg in array legs loop
        place := place + 1;
        if of_leg.amount < 0 then
            giver := place;
            givers := givers + 1;
        end if;
    end loop;
    if givers > 1 then
        giver := ledger.giver(legs);   -- The first one that is a wallet.
    end if;
    if reference_id is not null then
        -- A second time is a fault of ours, not the client's: reference_once ends the command, and nothing moves.
        insert into ledger.references (reference_type, reference_id, type, transaction_id)
        values (post.reference_type, post.reference_id, post.type, tx);
    end if;
    for account, part, leg in
        select l.account_id, l.amount, l.leg from unnest(legs) with ordinality as l (account_id, amount, leg) order by l.account_id
    loop
        -- Once per row: a second update in one transaction would check its foreign keys, and lock the currency's row.
        if part > 0 and leg is distinct from giver then
            -- Who only gets, or is no wallet at all: each statement reads its text anew, and this one is short.
            update ledger.wallets w
               set balance = case when w.status = 'active' and w.balance + part <= 9007199254740991 then w.balance + part
                       else ledger.unfit(w.status, w.balance, part, post.type) end
             where w.id = account returning w.user_id, w.balance into owner, left_over;
        else
            update ledger.wallets w
               set balance = case when w.status = 'active' and w.balance + part between 0 and 9007199254740991 then w.balance + part
                       else ledger.unfit(w.status, w.balance, part, post.type) end,
                   spent_on = case when spends and part < 0 then greatest(w.spent_on, today) else w.spent_on end,
                   spent_today = case when not spends or part >= 0 then w.spent_today
                       when w.spent_on >= today then w.spent_today + post.amount else post.amount end,
                   spent_month = case when not spends or part >= 0 then w.spent_month
                       when w.spent_on >= date_trunc('month', today)::date then w.spent_month + post.amount else post.amount end,
                   sent_count = w.sent_count + case when leg = giver then 1 else 0 end,
                   sent_total = w.sent_total + case when leg = giver then post.amount else 0 end
             where w.id = account returning w.user_id, w.balance, w.sent_count, w.sent_total into owner, left_over, counts, totals;
        end if;
        if found then
            owners[leg] := owner;
            balances[leg] := left_over;
            if leg = giver then
                sender := account; sender_user := owner; sender_count := counts; sender_total := totals;
            elsif part > 0 and (getter is null or leg < getter) then
                receiver := account; receiver_user := owner; getter := leg;
            end if;
        end if;
    end loop;
    at := clock_timestamp();   -- Under the locks, so that a wallet's lines lie in the order of their balances.
    with booked as (
        insert into ledger.transactions (id, type, sender_wallet_id, receiver_wallet_id, sender_user_id, receiver_user_id, amount,
            fee, currency, reference_type, reference_id, description, initiator_id, request_id, created_at, effective_at,
            sent_count, sent_total)
        values (tx, post.type, sender, receiver, sender_user, receiver_user, post.amount, post.fee, post.currency,
            post.reference_type, post.reference_id, post.description, auth.uid(), core.request_id(), at, post.effective_at,
            sender_count, sender_total)
    )
    insert into ledger.entries (created_at, transaction_id, leg, account_id, user_id, currency, amount, balance_after)
    select at, tx, l.leg, l.account_id, l.user_id, post.currency, l.amount, l.balance
      from unnest(legs, owners, balances) with ordinality as l (account_id, amount, user_id, balance, leg);
    return tx;
end $$;
