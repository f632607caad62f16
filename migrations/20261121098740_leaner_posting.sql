-- A posting moves each wallet in one statement: it locks, checks, changes and answers the row at once, in the order of the ids.
-- Why:       locking the wallets, changing them and reading them back were two joins over all legs: half of what a posting cost.
-- Locks:     those of before: wallets in ascending id, accounts without a floor never.
-- Old code:  keeps working; ledger.post takes, refuses and writes what it did, and the sender's running totals besides.
-- Undo:      create ledger.post and ledger.check_balanced as their own migrations do; drop function ledger.unfit.

create function ledger.unfit(status text, balance bigint, amount bigint, type text) returns bigint
    language plpgsql stable set search_path = '' as $$
begin
    if status <> 'active' and amount < 0
        -- What a provider has taken back was the wallet's, blocked or not.
        and not (status = 'blocked' and type in ('chargeback', 'refund')) then
        perform core.refuse('WALLET_BLOCKED', 403, 'this wallet is blocked');
    elsif status <> 'active' and amount > 0 then
        perform core.refuse('RECIPIENT_UNAVAILABLE', 409, 'the recipient cannot receive money now');
    elsif balance + amount < 0 then
        perform core.refuse('INSUFFICIENT_FUNDS', 409, 'the balance is too low');
    elsif balance + amount > 9007199254740991 then
        perform core.refuse('RECIPIENT_UNAVAILABLE', 409, 'the recipient cannot receive money now');
    end if;
    return balance + amount;
end $$;
comment on function ledger.unfit is 'Refuses by name what a wallet cannot do; asked when it looks as if it could not.';

create function ledger.giver(legs ledger.leg[]) returns bigint language plpgsql stable set search_path = '' as $$
declare
    leg ledger.leg;
    place bigint := 0;
    found bigint;
begin
    foreach leg in array legs loop
        place := place + 1;
        if leg.amount < 0 and found is not null then
            -- Several give: the first one that is a wallet.
            return (select min(l.leg) from unnest(legs) with ordinality as l (account_id, amount, leg)
                      join ledger.wallets w on w.id = l.account_id where l.amount < 0);
        elsif leg.amount < 0 then
            found := place;
        end if;
    end loop;
    return found;
end $$;
comment on function ledger.giver is 'Which leg is the sender''s, if it is a wallet''s: one that gives alone, else the first wallet that gives.';

create or replace function ledger.post(type text, currency text, legs ledger.leg[], reference_type text, reference_id text,
    amount bigint, fee bigint default 0, description text default null, effective_at timestamptz default null)
    returns uuid language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
    tx uuid := gen_random_uuid();
    at timestamptz;
    today date := (now() at time zone 'UTC')::date;
    spends boolean := type in ('transfer', 'withdrawal');
    giver bigint := ledger.giver(legs);
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
    if reference_id is not null then
        -- A second time is a fault of ours, not the client's: reference_once ends the command, and nothing moves.
        insert into ledger.references (reference_type, reference_id, type, transaction_id)
        values (post.reference_type, post.reference_id, post.type, tx);
    end if;
    for account, part, leg in
        select l.account_id, l.amount, l.leg from unnest(legs) with ordinality as l (account_id, amount, leg) order by l.account_id
    loop
        -- Once per row: a second update in one transaction would check its foreign keys, and lock the currency's row.
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
drop function ledger.lock_legs(text, ledger.leg[], uuid[]);

revoke execute on all functions in schema ledger from public;
