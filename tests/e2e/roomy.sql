-- GNF keeps the rules of production, and the tests of rules use it. Tests of volume use XOF: its thresholds are out of
-- the way here, by configuration and not by a switch in the code.
update ledger.wallet_limits
   set max_operation = 1000000000, default_daily = 1000000000000, default_monthly = 1000000000000
 where currency = 'XOF';
update ledger.risk_rules set value = 1000000000000000 where currency = 'XOF' and key not like '%_score';
-- The sweep is asked far more often here than every five minutes.
update core.settings set value = 1000000 where key = 'provider_calls_per_minute';
