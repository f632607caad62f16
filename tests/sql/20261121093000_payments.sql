begin;
-- The code of a refusal, or the SQLSTATE of any other error; 'ok' when there is none.
create function pg_temp.code(command text) returns text language plpgsql as $$
begin
    execute command;
    return 'ok';
exception when sqlstate 'PGRST' then
    return sqlerrm::jsonb ->> 'code';
when others then
    return sqlstate;
end $$;

-- What a provider counts in: both ways, exact or nothing at all.
do $$
declare
    c record;
begin
    for c in select * from (values ('moneroo', 'USD', 1500, 15), ('moneroo', 'USD', 1550, null), ('moneroo', 'GNF', 1500, 1500),
        ('paystack', 'XOF', 500, 50000), ('paystack', 'NGN', 50000, 50000), ('stripe', 'UGX', 1000, 100000), ('stripe', 'XOF', 500, 500),
        ('stripe', 'USD', 1999, 1999), ('flutterwave', 'KES', 1050, 1050), ('flutterwave_v4', 'UGX', 1050, 1050),
        ('cinetpay', 'XOF', 1005, 1005), ('cinetpay', 'XOF', 1004, null), ('cinetpay', 'USD', 1004, 1004), ('mtn_momo', 'GHS', 1004, 1004),
        ('airtel_money', 'TZS', 100000, 100000), ('wave', 'GNF', 1000, null), ('paystack', 'XOF', 90071992547410, null))
        as t (provider, currency, minor, units)
    loop
        assert payments.to_provider(c.provider, c.currency, c.minor) is not distinct from c.units, format('%s %s %s gave %s', c.provider,
            c.currency, c.minor, payments.to_provider(c.provider, c.currency, c.minor));
        assert c.units is null or payments.from_provider(c.provider, c.currency, c.units) = c.minor, format('%s %s back', c.provider, c.currency);
    end loop;
    assert payments.from_provider('paystack', 'XOF', 50001) is null and payments.from_provider('stripe', 'UGX', 100050) is null, 'a part of a unit';
    assert payments.from_provider('cinetpay', 'XOF', 1004) = 1004, 'what was paid counts, whatever could be asked for';
    assert payments.from_provider('moneroo', 'ZZZ', 1) is null and payments.from_provider('nobody', 'XOF', 1) is null;
    assert payments.from_provider('moneroo', 'USD', 9007199254740991) is null, 'more than there is overflows';
    assert not exists (select from payments.provider_currencies r join core.currencies k on k.code = r.currency,
        lateral (select greatest(k.min_payment, r.min_amount) + 5000 as minor) a
        where payments.to_provider(r.provider, r.currency, a.minor / 100 * 100) is not null
          and payments.from_provider(r.provider, r.currency, payments.to_provider(r.provider, r.currency, a.minor / 100 * 100)) <> a.minor / 100 * 100),
        'a round trip lost money';
end $$;

-- What cannot be asked for is refused by name: a currency, a bound of ours or of the provider, a step.
do $$
declare
    c record;
begin
    update payments.provider_currencies set min_amount = 500, max_amount = 2000 where provider = 'wave';
    update payments.provider_currencies set enabled = false where provider = 'orange_money' and currency = 'XOF';
    for c in select * from (values ('moneroo', 'USD', 1550, 'AMOUNT_NOT_SUPPORTED'), ('cinetpay', 'XOF', 1004, 'AMOUNT_NOT_SUPPORTED'),
        ('cinetpay', 'XOF', 1005, 'ok'), ('wave', 'XOF', 499, 'AMOUNT_OUT_OF_RANGE'), ('wave', 'XOF', 500, 'ok'), ('wave', 'XOF', 2000, 'ok'),
        ('wave', 'XOF', 2001, 'AMOUNT_OUT_OF_RANGE'), ('paystack', 'XOF', 99, 'AMOUNT_OUT_OF_RANGE'), ('paydunya', 'XOF', 199, 'AMOUNT_OUT_OF_RANGE'),
        ('paydunya', 'XOF', 200, 'ok'), ('moneroo', 'XOF', 10000001, 'AMOUNT_OUT_OF_RANGE'), ('wave', 'GNF', 5000, 'NOT_CONFIGURED'),
        ('orange_money', 'XOF', 5000, 'NOT_CONFIGURED'), ('orange_money', 'GNF', 5000, 'ok'), ('moneroo', 'ZZZ', 5000, 'NOT_CONFIGURED'))
        as t (provider, currency, minor, code)
    loop
        assert pg_temp.code(format('select payments.provider_amount(%L, %L, %s)', c.provider, c.currency, c.minor)) = c.code,
            format('%s %s %s', c.provider, c.currency, c.minor);
    end loop;
    assert payments.from_provider('orange_money', 'XOF', 5000) = 5000, 'switched off, and what comes late still counts';
end $$;

-- Every provider of the documentation is there, with a rate and at least one currency; its names are checked by the database.
do $$
begin
    assert (select array_agg(name order by name) from payments.providers) = '{airtel_money,cinetpay,flutterwave,flutterwave_v4,moneroo,mtn_momo,
        orange_money,paydunya,paystack,stripe,wave}';
    assert not exists (select from payments.providers p where not exists (select from payments.provider_currencies c where c.provider = p.name));
    assert pg_temp.code('insert into payments.provider_currencies (provider, currency, exponent) values (''paypal'', ''XOF'', 0)') = '23503';
    assert pg_temp.code('insert into payments.providers values (''Pay Pal'', true)') = '23514';
end $$;

-- Nobody writes or reads these tables from outside; a signed-in caller sees which currencies are taken.
do $$
declare
    door text;
    target text;
begin
    foreach door in array array['anon', 'authenticated', 'service_role'] loop
        perform set_config('role', door, true);
        foreach target in array array['providers', 'provider_currencies', 'payments', 'paid_plans', 'paid_entitlements'] loop
            assert pg_temp.code(format('insert into payments.%I default values', target)) = '42501', door || ' writes ' || target;
            assert pg_temp.code(format('delete from payments.%I', target)) = '42501';
        end loop;
        assert pg_temp.code('select from payments.providers') = '42501' and pg_temp.code('select payments.to_provider(null, null, 1)') = '42501';
        assert door <> 'authenticated' or (select count(*) from api.provider_currencies where provider = 'mtn_momo') = 6;
        reset role;
    end loop;
end $$;
rollback;
