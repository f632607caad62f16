-- A transaction that writes a row which fits a condition of this table does all its work, and then waits to commit for as
-- long as a test holds the lock of that key.
create table public.gates (key bigint primary key, target text not null, condition text not null);
create function public.gate() returns trigger language plpgsql security definer set search_path = '' as $$
declare
    shut public.gates;
    hit boolean;
begin
    for shut in select * from public.gates g where g.target = tg_argv[0] loop
        execute 'select ' || replace(shut.condition, 'new.', '($1).') into hit using new;
        if hit then
            perform pg_advisory_xact_lock_shared(shut.key);
        end if;
    end loop;
    return null;
end $$;
do $$
declare
    target text;
begin
    foreach target in array array['payments.payments', 'payments.payment_events', 'payments.payouts'] loop
        execute format('create constraint trigger gate after insert or update on %s deferrable initially deferred
            for each row execute function public.gate(%L)', target, target);
    end loop;
end $$;
