begin;
\ir lib/identity.psql

-- Removed is what was refused already; what still works stays, and a second run finds nothing.
do $$
declare
    got jsonb := pg_temp.signed_up('kept');
    who uuid := got -> 'user' ->> 'id';
    idle uuid := pg_temp.ask('identity_open_session', jsonb_build_object('user_id', who, 'refresh_hash', pg_temp.hash('idle'))) -> 'session' ->> 'id';
    dated uuid := pg_temp.ask('identity_open_session', jsonb_build_object('user_id', who, 'refresh_hash', pg_temp.hash('dated'))) -> 'session' ->> 'id';
begin
    delete from auth.one_time_tokens;
    delete from people.failed_logins;
    perform pg_temp.ask('identity_clean', '{}');
    update auth.sessions set created_at = now() - interval '91 days' where id = idle;
    update auth.sessions set not_after = now() where id = dated;
    update auth.sessions set created_at = now() - interval '200 days', refreshed_at = now() at time zone 'UTC' - interval '89 days'
     where id::text = got -> 'session' ->> 'id';
    insert into auth.refresh_tokens (token, user_id, revoked, updated_at, session_id) values
        ('old-used', who::text, true, now() - interval '91 days', (got -> 'session' ->> 'id')::uuid),
        ('used', who::text, true, now() - interval '89 days', (got -> 'session' ->> 'id')::uuid),
        ('old-unused', who::text, false, now() - interval '91 days', (got -> 'session' ->> 'id')::uuid);
    insert into auth.one_time_tokens (id, user_id, token_type, token_hash, relates_to, created_at) values
        (gen_random_uuid(), who, 'recovery_token', 'dead', '', now() at time zone 'UTC' - interval '61 minutes'),
        (gen_random_uuid(), who, 'confirmation_token', 'alive', '', now() at time zone 'UTC' - interval '59 minutes');
    insert into people.failed_logins (user_id, at) values (who, now() - interval '25 hours'), (who, now() - interval '23 hours');
    insert into core.outbox (channel, payload, dedupe_key, created_at) values
        ('email', '{"type": "auth.recovery", "to": "a", "link": "https://x.test"}', 'clean-1', now() - interval '25 hours'),
        ('email', '{"type": "auth.recovery", "to": "a", "link": "https://x.test"}', 'clean-2', now() - interval '23 hours'),
        ('email', '{"type": "order", "to": "a", "link": "https://x.test"}', 'clean-3', now() - interval '25 hours');
    assert pg_temp.ask('identity_clean', '{}') = '{"tokens": 1, "sessions": 2, "used_tokens": 1, "failed_logins": 1, "links": 1}';
    assert (select array_agg(s.id::text) from auth.sessions s where s.user_id = who) = array[got -> 'session' ->> 'id'];
    assert (select array_agg(t.token order by t.token) from auth.refresh_tokens t where t.token in ('old-used', 'used', 'old-unused')) = '{old-unused,used}';
    assert (select array_agg(t.token_hash) from auth.one_time_tokens t where t.user_id = who) = '{alive}';
    assert (select count(*) from people.failed_logins) = 1;
    assert (select string_agg(dedupe_key, ' ' order by dedupe_key) from core.outbox where dedupe_key like 'clean-%' and payload ? 'link') = 'clean-2 clean-3';
    assert (select payload from core.outbox where dedupe_key = 'clean-1') = '{"type": "auth.recovery", "to": "a"}', 'the mail stays as a record';
    assert pg_temp.ask('identity_clean', '{}') = '{"tokens": 0, "sessions": 0, "used_tokens": 0, "failed_logins": 0, "links": 0}';
end $$;
rollback;
