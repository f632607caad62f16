begin;
\ir lib/rich.psql

-- What a transfer leaves goes by its id, once each; a key is checked, and answers again.
do $$
declare
    ann ledger.wallets := pg_temp.rich(1);
    ben ledger.wallets := pg_temp.rich(2);
    ask jsonb := jsonb_build_object('operation', 'transfer', 'amount', 1000, 'recipient_id', ben.user_id, 'idempotency_key', 'fewer-01');
    got jsonb := pg_temp.ask(1, ask);
    tx uuid := got ->> 'transaction_id';
    bad text;
begin
    assert pg_temp.ask(1, ask) = got and pg_temp.ask(1, ask || '{"amount": 1001}') = '{"code": "IDEMPOTENCY_MISMATCH"}';
    assert exists (select from ledger.fraud_detection_logs f where f.id = tx and f.user_id = ann.user_id and f.request_id = 'fewer')
        and exists (select from ledger.wallet_logs l where l.id = tx and l.actor_id = ann.user_id and l.request_id = 'fewer')
        and exists (select from core.outbox o where o.id = tx and o.dedupe_key = 'transfer_received:' || tx)
        and exists (select from ledger.transactions t where t.id = tx and t.initiator_id = ann.user_id and t.request_id = 'fewer');
    assert (select (balance, sent_count, sent_total, spent_today) = (ann.balance - (got ->> 'total')::bigint, 1, 1000, 1000) from ledger.wallets where id = ann.id)
        and (select (balance, sent_count, spent_on) = (ben.balance + 1000, 0, '-infinity') from ledger.wallets where id = ben.id);
    foreach bad in array array['7 chars', repeat('x', 256), 'has a space', 'é-is-not-ascii'] loop
        assert pg_temp.ask(1, ask || jsonb_build_object('idempotency_key', bad)) = '{"code": "VALIDATION_ERROR"}', bad;
    end loop;
    assert core.request_id() = 'fewer' and core.is_uuid(tx::text) and core.is_uuid(upper(tx::text)) and not core.is_uuid(tx || ' ')
        and not core.is_uuid('') and core.is_uuid(null) is null;
end $$;

-- Whoever may not get is refused by name where only that is written; a platform's account that gets has no wallet to ask.
do $$
declare
    cay ledger.wallets := pg_temp.rich(3);
    clearing uuid := ledger.platform_account('provider_clearing', 'GNF');
begin
    update ledger.wallets set status = 'blocked' where id = cay.id;
    begin
        perform ledger.post('deposit', 'GNF', array[row(clearing, -1), row(cay.id, 1)]::ledger.leg[], null, null, 1);
        assert false, 'a blocked wallet was paid';
    exception when sqlstate 'PGRST' then
        assert sqlerrm::jsonb ->> 'code' = 'RECIPIENT_UNAVAILABLE', sqlerrm;
    end;
    update ledger.wallets set status = 'active', balance = 9007199254740991 where id = cay.id;
    begin
        perform ledger.post('deposit', 'GNF', array[row(clearing, -1), row(cay.id, 1)]::ledger.leg[], null, null, 1);
        assert false, 'more than a client can count';
    exception when sqlstate 'PGRST' then
        assert sqlerrm::jsonb ->> 'code' = 'RECIPIENT_UNAVAILABLE', sqlerrm;
    end;
end $$;
rollback;
