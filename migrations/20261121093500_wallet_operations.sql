-- wallet-operations: preview, transfer, withdraw, each one transaction.
-- Why:       the guard, both balances, the journal, the payout row and the remembered answer are true together.
-- Locks:     the wallets involved, lowest id first.
-- Old code:  nothing calls these yet.
-- Undo:      drop function api.wallet_operations(jsonb); drop the functions and the table created here.

create table payments.payouts (
    id                 uuid primary key default gen_random_uuid(),
    kind               text not null check (kind in ('wallet_withdrawal', 'store_withdrawal', 'refund')),
    user_id            uuid not null references people.profiles (id),
    amount             bigint not null check (amount > 0),
    fee                bigint not null check (fee >= 0),
    currency           text not null references core.currencies (code),
    method             text not null check (method ~ '^[a-z0-9_]{2,40}$'),
    destination        text not null,
    status             text not null default 'pending' check (status in ('pending', 'processing', 'completed', 'failed', 'manual', 'unknown')),
    transaction_id     uuid not null,
    provider           text,
    provider_payout_id text,
    environment        text check (environment in ('live', 'sandbox')),
    attempts           integer not null default 0 check (attempts between 0 and 1),
    sent_at            timestamptz,
    checks             integer not null default 0,
    next_check_at      timestamptz,
    reference          text check (length(reference) between 1 and 200),
    returned           boolean not null default false,
    returned_at        timestamptz,
    completed_at       timestamptz,
    payment_refund_id  uuid,
    created_at         timestamptz not null default now(),
    unique (provider, provider_payout_id),
    constraint payout_returned_once check (returned = (returned_at is not null))
);
comment on table payments.payouts is 'The money left the wallet when the row was made; it waits in payout_clearing.';
comment on column payments.payouts.attempts is 'Set before it is sent, and never raised again: a payout is sent at most once.';
comment on column payments.payouts.reference is 'What an admin who decided it can show: the provider''s or a bank''s reference.';
comment on column payments.payouts.returned is 'Amount and fee went back where they came from; once, for ever.';
-- A debit is paid out once, for ever.
create unique index payouts_transaction on payments.payouts (transaction_id);
create index payouts_user on payments.payouts (user_id, created_at, id);
create index payouts_currency on payments.payouts (currency);
create index payouts_open on payments.payouts (created_at) where status in ('pending', 'processing', 'manual', 'unknown');
create index payouts_due on payments.payouts (provider, next_check_at) where status in ('processing', 'unknown');
create unique index payouts_refund on payments.payouts (payment_refund_id);
alter table payments.payouts enable row level security;
create policy payouts_own on payments.payouts for select to authenticated using (user_id = (select auth.uid()));
grant select on payments.payouts to authenticated;
create view api.payouts with (security_invoker = true) as
    select id, amount, fee, currency, method, status, transaction_id, created_at from payments.payouts;
grant select on api.payouts to authenticated;

create function ledger.recipient(ask jsonb) returns uuid language plpgsql stable set search_path = '' as $$
declare
    given text := core.text_field(ask, 'recipient_id', 1, 64);
    found uuid;
begin
    if given is null then
        perform core.refuse('RECIPIENT_REQUIRED', 400, 'recipient_id is required');
    end if;
    if given ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' then
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

create function ledger.refuse_repeat(wallet uuid, type text, amount bigint, receiver uuid, destination text, ask jsonb)
    returns void language plpgsql stable set search_path = '' as $$
begin
    if ask ->> 'idempotency_key' is not null or coalesce((ask ->> 'confirm_duplicate')::boolean, false) then
        return;
    end if;
    if exists (select from ledger.transactions t where t.sender_wallet_id = wallet and t.type = refuse_repeat.type
            and t.amount = refuse_repeat.amount and t.receiver_wallet_id is not distinct from receiver
            and t.created_at > now() - make_interval(secs => core.setting('duplicate_window_s'))
            and (destination is null or exists (select from payments.payouts o
                where o.transaction_id = t.id and o.destination = refuse_repeat.destination))) then
        perform core.refuse('DUPLICATE_SUSPECTED', 409, 'the same operation was just made', null,
            'send confirm_duplicate: true, or an idempotency key');
    end if;
end $$;

create function ledger.preview(ask jsonb) returns jsonb language plpgsql stable set search_path = '' as $$
declare
    kind text := coalesce(ask ->> 'for', 'transfer');
    cur text := coalesce(ask ->> 'currency', 'GNF');
    amount bigint := core.amount_field(ask, 'amount');
    fee bigint;
    body jsonb;
begin
    if kind not in ('transfer', 'withdraw', 'deposit') then
        perform core.invalid('for', 'must be transfer, withdraw or deposit');
    elsif not exists (select from ledger.wallet_limits l where l.currency = cur and amount between l.min_operation and l.max_operation) then
        perform core.refuse('AMOUNT_OUT_OF_RANGE', 400, 'the amount is outside what one operation may move');
    end if;
    fee := ledger.fee(case kind when 'withdraw' then 'withdrawal' else kind end, cur, amount);
    body := jsonb_build_object('success', true, 'operation', 'preview', 'amount', amount, 'fee', fee, 'total', amount + fee,
        'currency', cur, 'amount_received', amount);
    if kind = 'transfer' and ask ->> 'recipient_id' is not null then
        body := body || jsonb_build_object('recipient', (select jsonb_build_object('display_name',
            coalesce(p.first_name || coalesce(' ' || left(p.last_name, 1) || '.', ''), p.public_id))
            from people.profiles p where p.id = ledger.recipient(ask)));
    end if;
    return body;
end $$;
comment on function ledger.preview is 'Changes nothing; shows a recipient''s first name and initial, never a balance or contact.';

create function ledger.transfer(ask jsonb) returns jsonb language plpgsql set search_path = '' as $$
declare
    sender uuid := core.caller();
    cur text := coalesce(ask ->> 'currency', 'GNF');
    amount bigint := core.amount_field(ask, 'amount');
    fee bigint;
    receiver uuid := ledger.recipient(ask);
    from_wallet uuid;
    to_wallet uuid;
    refused jsonb;
    legs ledger.leg[];
    tx uuid;
begin
    if receiver = sender then
        perform core.refuse('SELF_TRANSFER', 409, 'you cannot transfer to yourself');
    end if;
    fee := ledger.fee('transfer', cur, amount);
    -- In one order for both directions: each may have to be made, which waits for whoever is making it.
    from_wallet := case when sender < receiver then ledger.wallet_for(sender, cur) end;
    to_wallet := ledger.wallet_for(receiver, cur);
    from_wallet := coalesce(from_wallet, ledger.wallet_for(sender, cur));
    perform from ledger.wallets w where w.id in (from_wallet, to_wallet) order by w.id for update;
    perform ledger.refuse_repeat(from_wallet, 'transfer', amount, to_wallet, null, ask);
    if (select w.status from ledger.wallets w where w.id = to_wallet) <> 'active' then
        perform core.refuse('RECIPIENT_UNAVAILABLE', 409, 'the recipient cannot receive money now');
    end if;
    refused := ledger.guard(sender, cur, amount, fee, to_wallet, 'transfer');
    if refused is not null then
        return refused;
    end if;
    legs := array[(from_wallet, -(amount + fee))::ledger.leg, (to_wallet, amount)::ledger.leg];
    if fee > 0 then
        legs := legs || (ledger.platform_account('platform_fees', cur), fee)::ledger.leg;
    end if;
    tx := ledger.post('transfer', cur, legs, null, null, amount, fee, core.text_field(ask, 'description', 0, 200));
    insert into ledger.known_recipients values (from_wallet, to_wallet) on conflict do nothing;
    perform core.outbox_add('push', jsonb_build_object('type', 'transfer_received', 'user_id', receiver, 'amount', amount,
        'currency', cur), 'transfer_received:' || tx);
    return core.remember('wallet-operations', ask, jsonb_build_object('success', true, 'operation', 'transfer',
        'new_balance', (select w.balance from ledger.wallets w where w.id = from_wallet), 'transaction_id', tx,
        'transfer_code', 'TRF-' || upper(left(replace(tx::text, '-', ''), 12)), 'amount', amount, 'fee', fee,
        'total', amount + fee, 'currency', cur));
end $$;

create function ledger.withdraw(ask jsonb) returns jsonb language plpgsql set search_path = '' as $$
declare
    owner uuid := core.caller();
    cur text := coalesce(ask ->> 'currency', 'GNF');
    amount bigint := core.amount_field(ask, 'amount');
    phone text := ask ->> 'phone';
    fee bigint;
    wallet uuid;
    refused jsonb;
    legs ledger.leg[];
    tx uuid;
begin
    if phone is null or phone !~ '^[1-9][0-9]{7,14}$' then
        perform core.invalid('phone', 'must be an international number, digits only');
    elsif coalesce(ask ->> 'method', '') !~ '^[a-z0-9_]{2,40}$' then
        perform core.invalid('method', 'must be a payout method');
    elsif ask ->> 'method' in ('cash', 'card') then
        perform core.refuse('METHOD_NOT_AVAILABLE', 409, 'withdrawals go to mobile money');
    end if;
    fee := ledger.fee('withdrawal', cur, amount);
    wallet := ledger.wallet_for(owner, cur);
    perform from ledger.wallets w where w.id = wallet for update;
    perform ledger.refuse_repeat(wallet, 'withdrawal', amount, null, phone, ask);
    refused := ledger.guard(owner, cur, amount, fee, null, 'withdrawal');
    if refused is not null then
        return refused;
    end if;
    legs := array[(wallet, -(amount + fee))::ledger.leg, (ledger.platform_account('payout_clearing', cur), amount)::ledger.leg];
    if fee > 0 then
        legs := legs || (ledger.platform_account('platform_fees', cur), fee)::ledger.leg;
    end if;
    tx := ledger.post('withdrawal', cur, legs, null, null, amount, fee, core.text_field(ask, 'description', 0, 200));
    insert into payments.payouts (kind, user_id, amount, fee, currency, method, destination, transaction_id)
    values ('wallet_withdrawal', owner, amount, fee, cur, ask ->> 'method', phone, tx);
    return core.remember('wallet-operations', ask, jsonb_build_object('success', true, 'operation', 'withdraw',
        'status', 'pending', 'new_balance', (select w.balance from ledger.wallets w where w.id = wallet), 'transaction_id', tx,
        'amount', amount, 'fee', fee, 'total', amount + fee, 'currency', cur), 202);
end $$;

-- Generic plans: every query here finds single rows by key, and planning each anew costs more than running them all.
create function ledger.wallet_operations(ask jsonb) returns jsonb language plpgsql security definer set search_path = ''
    set plan_cache_mode = force_generic_plan as $$
declare
    caller uuid := core.caller();
    first_answer jsonb;
begin
    if core.amount_field(ask, 'amount') is null then
        perform core.invalid('amount', 'is required');
    elsif ask ->> 'operation' = 'preview' then
        return ledger.preview(ask);
    end if;
    first_answer := core.replay('wallet-operations', ask);
    if first_answer is not null then
        return first_answer;
    end if;
    case ask ->> 'operation'
        when 'transfer' then return ledger.transfer(ask);
        when 'withdraw' then return ledger.withdraw(ask);
        else perform core.invalid('operation', 'must be preview, deposit, withdraw or transfer');
    end case;
    return null;
end $$;
comment on function ledger.wallet_operations is 'The caller is the sender, from the token. Deposits are payments: see payments.begin_payment.';

create function api.wallet_operations(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return ledger.wallet_operations(ask);
revoke execute on all functions in schema api, ledger from public;
grant execute on function ledger.wallet_operations(jsonb), api.wallet_operations(jsonb) to authenticated;
