begin;
\ir lib/rich.psql

-- The one spelling, however it is looked at.
do $$
declare
    good text := '0b8f3c52-9d1e-4a6f-8C7B-1234567890aF';
    bad text;
begin
    assert core.is_uuid(good) and core.is_uuid(upper(good)) and core.is_uuid(null) is null;
    foreach bad in array array['', ' ' || good, good || ' ', '{' || good || '}', replace(good, '-', ''), replace(good, 'a', 'g'), replace(good, 'b', 'é'),
        '0b8f-3c52-9d1e-4a6f-8c7b1234567890af', '0b8f3c52-9d1e-4a6f-8c7b-1234567890-f', '------------------------------------', repeat('0', 36)] loop
        assert not core.is_uuid(bad), bad;
    end loop;
end $$;

-- A plain amount passes without a second look; whatever is not plain is refused, or read, as everywhere.
do $$
declare
    ann ledger.wallets := pg_temp.rich(1);
    ben ledger.wallets := pg_temp.rich(2);
    ask jsonb := jsonb_build_object('operation', 'transfer', 'recipient_id', ben.user_id, 'confirm_duplicate', true);
    bad jsonb;
begin
    foreach bad in array array['0', '-5', '1.5', '"1000"', 'null', 'true', '[1000]', '9007199254740992', '12345678901234567', '1e20']::jsonb[] loop
        assert pg_temp.ask(1, ask || jsonb_build_object('amount', bad)) = '{"code": "VALIDATION_ERROR"}', bad::text;
    end loop;
    assert pg_temp.ask(1, ask) = '{"code": "VALIDATION_ERROR"}' and pg_temp.ask(1, ask || '{"amount": 1e3}') ->> 'amount' = '1000';
    assert pg_temp.ask(1, ask || '{"amount": 9007199254740991}') ->> 'code' = 'AMOUNT_OUT_OF_RANGE';
    assert pg_temp.ask(1, ask || '{"amount": 999999999999999}') ->> 'code' = 'AMOUNT_OUT_OF_RANGE';
    perform set_config('request.jwt.claims', '', true);
    begin
        perform ledger.wallet_operations(ask || '{"amount": 1000}');
        assert false, 'nobody paid';
    exception when sqlstate 'PGRST' then
        assert sqlerrm::jsonb ->> 'code' = 'UNAUTHENTICATED', sqlerrm;
    end;
end $$;
rollback;
