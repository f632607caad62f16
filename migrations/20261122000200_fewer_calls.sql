-- A transfer calls less: what its steps look at is asked where it is needed, and a function is called when there is something to say.
-- Why:       a call of a small function, with its settings, cost as much as ten comparisons; a transfer made twenty of them. What the
--            receiver's wallet does not need was read anew for it, and three random numbers were drawn for rows that one could name.
-- Locks:     none.
-- Old code:  keeps working; answers, refusals, codes, texts and traces are those of before. The two logs and the outbox have one row
--            of a transfer each, whose id now is the transaction's.
-- Undo:      create the functions, ledger.note_transfer too, as 20261121098500_cheaper_steps.sql, 20261121098550_terms.sql, 20261121098600_one_judge.sql,
--            20261121098650_transfer_path.sql and 20261121098740_leaner_posting.sql do.

-- ------------------------------------------------------------------------------------- read once, and written out by the planner

-- A body that is parsed here resolves its names here, and without settings it becomes part of the expression that calls it.
create or replace function core.is_uuid(given text) returns boolean language sql immutable
    -- Every hexadecimal digit becomes 0; what is left is the shape.
    return translate(given, '123456789abcdefABCDEF', '000000000000000000000') = '00000000-0000-0000-0000-000000000000';

create or replace function core.request_id() returns text language sql stable
    return nullif(current_setting('request.headers', true), '')::json ->> 'x-request-id';

-- Stable, as convert_to is.
create or replace function core.fingerprint(ask jsonb) returns bytea language sql stable
    return sha256(convert_to((ask - 'idempotency_key' - 'confirm_duplicate')::text, 'UTF8'));

create or replace function api.wallet_operations(ask jsonb) returns jsonb language sql security invoker
    return ledger.wallet_operations(ask);

create or replace function ledger.fits_limits(wallet ledger.wallets, amount bigint, terms ledger.terms) returns boolean
    language sql stable
    -- Not before today: who waited for the lock over midnight counts into the day that has begun.
    return case when wallet.spent_on >= (now() at time zone 'UTC')::date then wallet.spent_today else 0 end + amount
            <= coalesce(wallet.daily_limit, terms.default_daily)
       and case when wallet.spent_on >= date_trunc('month', now() at time zone 'UTC')::date then wallet.spent_month else 0 end + amount
            <= coalesce(wallet.monthly_limit, terms.default_monthly);

-- ------------------------------------------------------------------------------------------------------------- same key, once

create or replace function core.replay(fn text, ask jsonb) returns jsonb language plpgsql set search_path = '' as $$
declare
    wanted text := ask ->> 'idempotency_key';
    asker uuid;
    stored core.idempotency_keys;
begin
    if wanted is null then
        return null;
    elsif length(wanted) not between 8 and 255 or wanted ~ '[^!-~]' then
        perform core.idempotency_key(ask);   -- Says no.
    end if;
    asker := auth.uid();
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

-- --------------------------------------------------------------------------------------------------------------- guard

create or replace function ledger.judge(wallet ledger.wallets, amount bigint, fee bigint, receiver_wallet uuid, operation text, terms ledger.terms)
    returns ledger.verdict language plpgsql set search_path = ''
    set plan_cache_mode = force_generic_plan set enable_sort = off as $$
declare
    chosen boolean := operation in ('transfer', 'withdrawal');
    new_recipient boolean;
    failed_logins bigint;
    first_at timestamptz;
    until_then bigint;
    day_count bigint;
    day_total bigint;
    verdict ledger.verdict;
begin
    if wallet.status <> 'active' then
        perform ledger.log(wallet.user_id, operation, wallet.currency, amount, 'WALLET_BLOCKED');
        verdict.refused := ledger.refusal('WALLET_BLOCKED', 403, 'this wallet is blocked');
        return verdict;
    elsif wallet.id is null or terms.min_operation is null or amount not between terms.min_operation and terms.max_operation then
        perform ledger.log(wallet.user_id, operation, wallet.currency, amount, 'AMOUNT_OUT_OF_RANGE');
        verdict.refused := ledger.refusal('AMOUNT_OUT_OF_RANGE', 400, 'the amount is outside what one operation may move',
            jsonb_build_object('min', terms.min_operation, 'max', terms.max_operation));
        return verdict;
    elsif chosen and amount % terms.step <> 0 then
        perform ledger.log(wallet.user_id, operation, wallet.currency, amount, 'AMOUNT_NOT_SUPPORTED');
        verdict.refused := ledger.refusal('AMOUNT_NOT_SUPPORTED', 400, 'the amount is no multiple of the smallest step',
            jsonb_build_object('step', terms.step));
        return verdict;
    elsif chosen and not ledger.fits_limits(wallet, amount, terms) then
        perform ledger.log(wallet.user_id, operation, wallet.currency, amount, 'LIMIT_EXCEEDED');
        verdict.refused := ledger.refusal('LIMIT_EXCEEDED', 403, 'the daily or monthly limit of this wallet is reached');
        return verdict;
    elsif wallet.balance < amount + fee then
        perform ledger.log(wallet.user_id, operation, wallet.currency, amount, 'INSUFFICIENT_FUNDS');
        verdict.refused := ledger.refusal('INSUFFICIENT_FUNDS', 409, 'the balance is too low');
        return verdict;
    end if;
    -- Under the lock, and after all that needs no history. The line with which the day began is what ledger.sent_since reads, in the
    -- order of the index as there: this is why nothing is sorted here.
    select receiver_wallet is not null and not exists (select from ledger.known_recipients k
               where k.sender_wallet_id = wallet.id and k.receiver_wallet_id = receiver_wallet),
           (select count(*) from people.failed_logins f where f.user_id = wallet.user_id and f.at > now() - interval '1 hour'),
           d.created_at, d.sent_count - 1, coalesce(wallet.sent_count - (d.sent_count - 1), 0),
           coalesce(wallet.sent_total - (d.sent_total - d.amount), 0)
      into new_recipient, failed_logins, first_at, until_then, day_count, day_total
      from (select) one
      left join lateral (select t.created_at, t.sent_count, t.sent_total, t.amount from ledger.transactions t
               where t.sender_wallet_id = wallet.id and t.created_at > now() - interval '24 hours' and t.created_at < now() + interval '1 day'
               order by t.created_at limit 1) d on true;
    if first_at is not null and until_then is null then   -- From before there was a count.
        select s.count, s.total into day_count, day_total from ledger.sent_since(wallet, '24 hours') s;
    end if;
    -- Asked by name only when something is over its line, or has none.
    if (day_total + amount <= terms.suspicious_total and amount <= terms.suspicious_amount and day_count + 1 <= terms.suspicious_count) is not true
        and ledger.severity(amount, day_count, day_total, terms) is not null and ledger.suspicion(wallet, amount, day_count, day_total) then
        perform ledger.log(wallet.user_id, operation, wallet.currency, amount, 'WALLET_BLOCKED');
        verdict.refused := ledger.refusal('WALLET_BLOCKED', 403, 'this wallet is blocked');
        return verdict;
    end if;
    if first_at <= now() - interval '1 hour' then   -- Otherwise the day's are the hour's.
        select h.count, h.total into day_count, day_total from ledger.sent_since(wallet, '1 hour') h;
    end if;
    verdict := ledger.score(wallet.balance, amount, new_recipient, day_count, day_total, failed_logins, terms);
    if verdict.decision = 'block' then
        perform ledger.note(wallet, amount, receiver_wallet, operation, verdict, 'FRAUD_BLOCKED');
        verdict.refused := ledger.refusal('FRAUD_BLOCKED', 403, 'this operation was refused');
    elsif verdict.decision = 'mfa' and core.claim('aal') is distinct from 'aal2' then
        perform ledger.note(wallet, amount, receiver_wallet, operation, verdict, 'MFA_REQUIRED');
        verdict.refused := ledger.refusal('MFA_REQUIRED', 403, 'confirm with a second factor', null,
            'repeat with the same key after the second factor');
    end if;
    return verdict;
end $$;

-- ------------------------------------------------------------------------------------------------------------ transfer

create or replace function ledger.transfer_fee(terms ledger.terms, currency text, amount bigint) returns bigint language sql stable
    -- A currency without terms asks ledger.fee; the rest is as in core.bps.
    return case when terms.fee_type is null then ledger.fee('transfer', currency, amount)
        when terms.fee_type = 'fixed' then least(greatest(terms.fee_value, terms.min_fee), coalesce(terms.max_fee, terms.fee_value + terms.min_fee))
        else least(greatest((amount / 10000) * terms.fee_value + (2 * (amount % 10000) * terms.fee_value + 10000) / 20000, terms.min_fee),
            coalesce(terms.max_fee, (amount / 10000) * terms.fee_value + (2 * (amount % 10000) * terms.fee_value + 10000) / 20000 + terms.min_fee))
        end;

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
