-- One seed, one story: what production draws at random is counted here, and what it waits for is due at once.
create sequence public.counted;
create function public.count_payment() returns trigger language plpgsql security definer set search_path = '' as $$
declare
    counted uuid := lpad(to_hex(nextval('public.counted')), 32, '0')::uuid;
begin
    if tg_argv[0] = 'payment' then
        new.provider_payment_id := case new.provider_payment_id when new.id::text then counted::text end;
    end if;
    new.id := counted;
    return new;
end $$;
create trigger counted before insert on payments.payments for each row execute function public.count_payment('payment');
create trigger counted before insert on payments.payouts for each row execute function public.count_payment('payout');
create trigger counted before insert on payments.payment_refunds for each row execute function public.count_payment('refund');
update core.settings set value = 0 where key = 'payment_ask_every_s';
