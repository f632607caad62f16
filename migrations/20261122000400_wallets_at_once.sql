-- A posting moves all of its wallets in one statement, and is told who asks by whoever has read it.
-- Why:       a query for the order of the legs and one update for each of them, each started anew, cost more than one for all; and
--            token and headers were read again for each posting.
-- Locks:     none. Wallets are locked in ascending id, as before.
-- Old code:  keeps working: without the two new arguments ledger.post does what it did. Refusals and their order are those of before.
-- Undo:      drop function ledger.post; create it as 20261122000300_shorter_transfer.sql does, and its comment.

drop function ledger.post(text, text, ledger.leg[], text, text, bigint, bigint, text, timestamptz);
-- Without sequential scans every join of wallets to legs gives the wallets in the order of their ids: that is the order of the locks.
create function ledger.post(type text, currency text, legs ledger.leg[], reference_type text, reference_id text,
    amount bigint, fee bigint default 0, description text default null, effective_at timestamptz default null,
    initiator uuid default auth.uid(), request text default core.request_id()) returns uuid language plpgsql set search_path = ''
    set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
    tx uuid := gen_random_uuid();
    at timestamptz;
    today date;
    giver bigint;
    givers integer := 0;
    place bigint := 0;
    of_leg ledger.leg;
    moved record;
    -- By leg; null where it is no wallet's.
    owners uuid[];
    balances bigint[];
    sender uuid;
    sender_user uuid;
    sender_count bigint;
    sender_total bigint;
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
    if type in ('transfer', 'withdrawal') then
        today := (now() at time zone 'UTC')::date;   -- Otherwise nothing is spent.
    end if;
    for moved in
        -- Once per row: a second update in one transaction would check its foreign keys, and lock the currency's row.
        update ledger.wallets w
           set balance = case when w.status = 'active' and w.balance + l.amount between 0 and 9007199254740991 then w.balance + l.amount
                   else ledger.unfit(w.status, w.balance, l.amount, post.type) end,
               spent_on = case when l.spends then greatest(w.spent_on, today) else w.spent_on end,
               spent_today = case when not l.spends then w.spent_today
                   when w.spent_on >= today then w.spent_today + post.amount else post.amount end,
               spent_month = case when not l.spends then w.spent_month
                   when w.spent_on >= date_trunc('month', today)::date then w.spent_month + post.amount else post.amount end,
               sent_count = w.sent_count + case when l.leg = giver then 1 else 0 end,
               sent_total = w.sent_total + case when l.leg = giver then post.amount else 0 end
          from (select g.account_id, g.amount, g.leg, g.amount < 0 and today is not null as spends
                  from unnest(legs) with ordinality as g (account_id, amount, leg) order by g.account_id) l
         where w.id = l.account_id returning l.leg, l.amount, w.id, w.user_id, w.balance, w.sent_count, w.sent_total
    loop
        owners[moved.leg] := moved.user_id;
        balances[moved.leg] := moved.balance;
        if moved.leg = giver then
            sender := moved.id; sender_user := moved.user_id; sender_count := moved.sent_count; sender_total := moved.sent_total;
        elsif moved.amount > 0 and (getter is null or moved.leg < getter) then
            receiver := moved.id; receiver_user := moved.user_id; getter := moved.leg;
        end if;
    end loop;
    at := clock_timestamp();   -- Under the locks, so that a wallet's lines lie in the order of their balances.
    with booked as (
        insert into ledger.transactions (id, type, sender_wallet_id, receiver_wallet_id, sender_user_id, receiver_user_id, amount,
            fee, currency, reference_type, reference_id, description, initiator_id, request_id, created_at, effective_at,
            sent_count, sent_total)
        values (tx, post.type, sender, receiver, sender_user, receiver_user, post.amount, post.fee, post.currency,
            post.reference_type, post.reference_id, post.description, post.initiator, post.request, at, post.effective_at,
            sender_count, sender_total)
    )
    insert into ledger.entries (created_at, transaction_id, leg, account_id, user_id, currency, amount, balance_after)
    select at, tx, l.leg, l.account_id, owners[l.leg], post.currency, l.amount, balances[l.leg]
      from unnest(legs) with ordinality as l (account_id, amount, leg);
    return tx;
end $$;
comment on function ledger.post is
    'The only way money moves: any number of legs, each its own account, that sum to zero. Locks wallets in id order, refuses
     what would go below zero or touch a blocked wallet, writes transaction, balances and all entries. A reference may be posted
     once per type, for ever. effective_at: when it really happened, for what is booked late. initiator, request: of whom has read
     them already.';

revoke execute on all functions in schema ledger from public;
