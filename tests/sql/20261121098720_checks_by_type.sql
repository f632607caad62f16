begin;
create function pg_temp.fault(command text) returns text language plpgsql as $$
declare
    broken text;
begin
    execute command;
    return 'ok';
exception when check_violation then
    get stacked diagnostics broken = constraint_name;
    return broken;
end $$;

-- Every rule that a check held is held: the last value that is good, the first that is bad, by the owner and straight into a partition.
do $$
declare
    c record;
    home text;
    month text := to_char(now() at time zone 'UTC', '_YYYYMM');
    losses uuid := ledger.platform_account('losses', 'GNF');
begin
    foreach home in array array['', month] loop
        for c in select * from (values ('deposit', 1, 0, repeat('x', 200), 'ok'), ('nonsense', 1, 0, 'x', 'transaction_type_known'),
            ('deposit', 0, 0, 'x', 'above_zero'), ('deposit', 1, -1, 'x', 'not_below_zero'), ('deposit', 1, 0, repeat('x', 201), 'remark_is_short'))
            as t (type, amount, fee, description, said) loop
            assert pg_temp.fault(format('insert into ledger.transactions%s (type, amount, fee, currency, description) values (%L, %s, %s, ''GNF'', %L)',
                home, c.type, c.amount, c.fee, c.description)) = c.said, c.said || home;
        end loop;
        for c in select * from (values (9007199254740991, 'ok'), (0, 'entry_moves_something'), (9007199254740992, 'entry_moves_something')) as t (amount, said) loop
            assert pg_temp.fault(format('insert into ledger.entries%s (transaction_id, leg, account_id, currency, amount) select t.id, l.leg, l.account, ''GNF'', l.amount
                from (select gen_random_uuid() as id) t, (values (1, %L::uuid, %s), (2, ledger.platform_account(''escrow'', ''GNF''), -%3$s)) l (leg, account, amount)',
                home, losses, c.amount)) = c.said, c.said || home;
        end loop;
        for c in select * from (values (0, 'low', 'allow', 'ok'), (100, 'critical', 'block', 'ok'), (101, 'low', 'allow', 'risk_score_is_a_percentage'),
            (-1, 'low', 'allow', 'risk_score_is_a_percentage'), (1, 'odd', 'allow', 'risk_level_known'), (1, 'low', 'odd', 'risk_decision_known'))
            as t (score, level, decision, said) loop
            assert pg_temp.fault(format('insert into ledger.fraud_detection_logs%s (user_id, amount, score, level, flags, decision)
                values (gen_random_uuid(), 1, %s, %L, ''{}'', %L)', home, c.score, c.level, c.decision)) = c.said, c.said || home;
        end loop;
    end loop;
    insert into auth.users (id, email) values ('00000000-0000-4000-8000-000000000001', 'p1@checks.test');
    perform ledger.wallet_for('00000000-0000-4000-8000-000000000001', 'GNF');
    for c in select * from (values ('balance = 9007199254740991', 'ok'), ('balance = 9007199254740992', 'wallet_floor'), ('balance = 0', 'ok'),
        ('balance = -1', 'wallet_floor'), ('status = ''closed''', 'ok'), ('status = ''odd''', 'wallet_status_known'), ('daily_limit = -1', 'not_below_zero'),
        ('daily_limit = null, monthly_limit = 0', 'ok'), ('monthly_limit = -1', 'not_below_zero'), ('spent_today = -1', 'not_below_zero'),
        ('spent_month = -1', 'not_below_zero')) as t (edit, said) loop
        assert pg_temp.fault('update ledger.wallets set ' || c.edit) = c.said, c.edit;
    end loop;
    for c in select * from (values ('push', 'pending', 'ok'), ('pigeon', 'pending', 'outbox_channel_known'), ('push', 'odd', 'outbox_status_known')) as t (channel, status, said) loop
        assert pg_temp.fault(format('insert into core.outbox (channel, payload, dedupe_key, status) values (%L, ''{}'', %1$L || %L, %2$L)',
            c.channel, c.status)) = c.said, c.said;
    end loop;
end $$;

-- A column that may not be null still may not.
do $$ begin
    assert not exists (select from pg_attribute a where not a.attnotnull and (a.attrelid, a.attname) in (('ledger.transactions'::regclass, 'type'),
        ('ledger.transactions'::regclass, 'amount'), ('ledger.transactions'::regclass, 'fee'), ('ledger.entries'::regclass, 'amount'),
        ('ledger.wallets'::regclass, 'balance'), ('ledger.wallets'::regclass, 'status'), ('ledger.wallets'::regclass, 'spent_today'),
        ('ledger.fraud_detection_logs'::regclass, 'score'), ('core.outbox'::regclass, 'channel'), ('core.outbox'::regclass, 'status')));
end $$;
rollback;
