-- GNF keeps the rules of production, and the tests of rules use it. Tests of volume use XOF: its thresholds are out of
-- the way here, by configuration and not by a switch in the code.
update ledger.wallet_limits
   set max_operation = 1000000000, default_daily = 1000000000000, default_monthly = 1000000000000
 where currency = 'XOF';
update ledger.risk_rules set value = 1000000000000000 where currency = 'XOF' and key not like '%_score';
-- The sweep is asked far more often here than every five minutes.
update payments.providers set calls_per_minute = 1000000;

-- A write that fits a condition of this table fails, as if the connection had been cut there.
create table public.sabotage (id uuid primary key, target text not null, condition text not null);
create function public.sabotage() returns trigger language plpgsql security definer set search_path = '' as $$
declare
    wanted text;
    hit boolean;
begin
    for wanted in select s.condition from public.sabotage s where s.target = tg_argv[0] loop
        execute 'select ' || replace(wanted, 'new.', '($1).') into hit using new;
        if hit then
            raise exception 'cut here';
        end if;
    end loop;
    return new;
end $$;
do $$
declare
    target text;
begin
    foreach target in array array['ledger.wallets', 'ledger.transactions', 'ledger.entries', 'ledger.known_recipients',
        'core.outbox', 'core.idempotency_keys', 'payments.payments', 'payments.payment_events', 'taxi.transactions',
        'taxi.trips', 'taxi.notifications'] loop
        execute format('create trigger sabotage before insert or update on %s for each row
            execute function public.sabotage(%L)', target, target);
    end loop;
end $$;
