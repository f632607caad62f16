begin;
\ir lib/identity.psql

-- Confirmed at once: one account, one identity, one profile, one session; the address in lower case.
do $$
declare
    got jsonb := pg_temp.signed_up('awa', '{"email": "Awa@Identity.TEST", "data": {"first_name": "Awa"}}');
    who uuid := got -> 'user' ->> 'id';
    s auth.sessions;
    u auth.users;
begin
    select * into u from auth.users where id = who;
    assert u.email = 'awa@identity.test' and u.encrypted_password = pg_temp.bcrypt('awa') and u.confirmed_at is not null, u::text;
    assert (select (p.email, p.first_name) = ('awa@identity.test', 'Awa') from people.profiles p where p.id = who);
    select * into s from auth.sessions where user_id = who;
    assert s.user_agent = 'test' and s.ip = '10.0.0.1' and s.aal = 'aal1' and s.id::text = got -> 'session' ->> 'id', s::text;
    assert (select (t.token, t.revoked, t.session_id, t.user_id) = (pg_temp.hash('r-awa'), false, s.id, who::text)
              from auth.refresh_tokens t where t.session_id = s.id);
    assert got -> 'session' -> 'amr' -> 0 ->> 'method' = 'password' and (got -> 'session' -> 'amr' -> 0 -> 'timestamp')::bigint > 0;
    assert got -> 'exists' = 'false' and got -> 'user' ? 'last_sign_in_at';
    assert pg_temp.signed_up('quiet', '{"refresh_hash": null}') -> 'session' = 'null', 'no token, no session';
end $$;

-- The second with an address is refused, whatever its case, and whether or not the first has confirmed; the index decides.
do $$
declare
    wanted auth.users;
begin
    assert pg_temp.told('identity_sign_up', jsonb_build_object('email', 'AWA@identity.test', 'password_hash', pg_temp.bcrypt('x'),
        'autoconfirm', true)) = 'USER_EXISTS 422';
    insert into auth.users (id, email) values (gen_random_uuid(), 'unconfirmed@identity.test');
    assert pg_temp.told('identity_sign_up', jsonb_build_object('email', 'unconfirmed@identity.test', 'password_hash', pg_temp.bcrypt('x'),
        'autoconfirm', true)) = 'USER_EXISTS 422', 'a stranger would take over an account that waits for its mail';
    -- What a race comes to: both have looked, one has inserted.
    wanted.email := 'awa@identity.test';
    begin
        perform identity.added(wanted);
        assert false, 'two accounts with one address';
    exception when sqlstate 'PGRST' then
        assert sqlerrm::jsonb ->> 'code' = 'EMAIL_EXISTS', sqlerrm;
    end;
    assert (select count(*) from auth.users where email = 'awa@identity.test') = 1;
end $$;

-- Unless confirmed at once: no session, a token that is stored as it is given, and one mail with the link.
do $$
declare
    ask jsonb := jsonb_build_object('email', 'mail@identity.test', 'password_hash', pg_temp.bcrypt('first'), 'autoconfirm', false,
        'refresh_hash', pg_temp.hash('never'), 'confirmation_hash', pg_temp.hash('c1'), 'confirmation_link', 'https://x.test/?token=c1');
    got jsonb := pg_temp.ask('identity_sign_up', ask);
    who uuid := got -> 'user' ->> 'id';
begin
    assert got -> 'session' = 'null' and not got -> 'user' ? 'confirmed_at' and got -> 'user' ? 'confirmation_sent_at', got::text;
    assert pg_temp.sessions(who::text) = 0;
    assert (select (t.token_hash, t.token_type, t.relates_to) = (pg_temp.hash('c1'), 'confirmation_token', 'mail@identity.test')
              from auth.one_time_tokens t where t.user_id = who);
    assert (select array_agg(o.payload) from core.outbox o where o.channel = 'email' and o.payload ->> 'to' = 'mail@identity.test')
        = array[jsonb_build_object('type', 'auth.signup', 'to', 'mail@identity.test', 'link', 'https://x.test/?token=c1',
            'subject', 'Confirm your e-mail address', 'user_id', who)];
    assert pg_temp.told('identity_open_session', jsonb_build_object('user_id', who, 'refresh_hash', pg_temp.hash('o')))
        = 'EMAIL_NOT_CONFIRMED 400';
    -- Again: not within a minute; then the newest mail counts, with the password that was asked for with it.
    ask := ask || jsonb_build_object('confirmation_hash', pg_temp.hash('c2'), 'password_hash', pg_temp.bcrypt('second'));
    assert pg_temp.told('identity_sign_up', ask) = 'OVER_EMAIL_SEND_RATE_LIMIT 429';
    assert (select encrypted_password from auth.users where id = who) = pg_temp.bcrypt('first'), 'a refusal changes nothing';
    perform pg_temp.mails_age();
    assert pg_temp.ask('identity_sign_up', ask) -> 'user' ->> 'id' = who::text;
    assert (select array_agg(t.token_hash) from auth.one_time_tokens t where t.user_id = who) = array[pg_temp.hash('c2')];
    assert (select encrypted_password from auth.users where id = who) = pg_temp.bcrypt('second');
    -- Somebody else's confirmed address: a made-up account, no mail, nothing changed.
    got := pg_temp.ask('identity_sign_up', ask || '{"email": "awa@identity.test", "data": {"n": 1}}');
    assert got -> 'exists' = 'true' and got -> 'user' -> 'identities' = '[]' and got -> 'user' ->> 'email' = 'awa@identity.test';
    assert not exists (select from auth.users where id::text = got -> 'user' ->> 'id'), 'the id of the real one was told';
    assert (select encrypted_password from auth.users where email = 'awa@identity.test') = pg_temp.bcrypt('awa');
    assert not exists (select from core.outbox o where o.payload ->> 'to' = 'awa@identity.test');
    assert pg_temp.told('identity_sign_up', ask || '{"email": "new@identity.test", "confirmation_link": "javascript:alert(1)"}')
        = 'VALIDATION_ERROR 400', 'a link leads to a page';
    assert pg_temp.told('identity_sign_up', ask || '{"email": "new@identity.test", "confirmation_hash": null}') = 'VALIDATION_ERROR 400';
    assert not exists (select from auth.users where email = 'new@identity.test');
end $$;

-- Somebody without an address: a user and a session, no identity.
do $$
declare
    got jsonb := pg_temp.ask('identity_sign_up', jsonb_build_object('anonymous', true, 'data', '{"n": 1}'::jsonb, 'refresh_hash', pg_temp.hash('anon'),
        'email', 'ignored@identity.test', 'autoconfirm', false));
begin
    assert got -> 'user' -> 'is_anonymous' = 'true' and got -> 'user' ->> 'email' = '' and got -> 'user' -> 'identities' = '[]', got::text;
    assert got -> 'user' -> 'app_metadata' = '{}' and got -> 'user' -> 'user_metadata' = '{"n": 1}';
    assert got -> 'session' -> 'amr' -> 0 ->> 'method' = 'anonymous';
    assert pg_temp.told('identity_open_session', jsonb_build_object('user_id', got -> 'user' -> 'id', 'refresh_hash', pg_temp.hash('anon2'))) = 'ok';
    assert not exists (select from auth.users where email = 'ignored@identity.test');
end $$;

-- What a password is compared with has the same keys for nobody; failures are counted for a quarter of an hour.
do $$
declare
    who uuid := (select id from auth.users where email = 'awa@identity.test');
    found jsonb := pg_temp.ask('identity_password', '{"email": "AWA@identity.test"}');
    nobody jsonb := pg_temp.ask('identity_password', '{"email": "nobody@identity.test"}');
begin
    assert found = jsonb_build_object('user_id', who, 'password_hash', pg_temp.bcrypt('awa'), 'confirmed', true, 'banned', false,
        'recent_failures', 0), found::text;
    assert nobody = '{"user_id": null, "password_hash": null, "confirmed": false, "banned": false, "recent_failures": 0}', nobody::text;
    assert pg_temp.ask('identity_password', jsonb_build_object('user_id', who)) = found;
    insert into people.failed_logins (user_id, at) values (who, now() - interval '25 hours'), (who, now() - interval '16 minutes');
    assert pg_temp.ask('identity_failed_login', jsonb_build_object('user_id', who)) = '{"recent_failures": 1}';
    assert (select count(*) from people.failed_logins where user_id = who) = 2, 'a day is enough';
    assert pg_temp.ask('identity_password', '{"email": "awa@identity.test"}') -> 'recent_failures' = '1';
    assert pg_temp.ask('identity_failed_login', '{"user_id": null}') = '{"recent_failures": 0}';
    assert pg_temp.ask('identity_failed_login', jsonb_build_object('user_id', gen_random_uuid())) = '{"recent_failures": 0}';
    assert pg_temp.told('identity_password', '{}') = 'VALIDATION_ERROR 400';
end $$;

-- Who comes in: not the banned, not the switched off, not with a password that has changed meanwhile, not nobody.
do $$
declare
    who uuid := (select id from auth.users where email = 'awa@identity.test');
    ask jsonb := jsonb_build_object('user_id', who, 'refresh_hash', pg_temp.hash('r2'));
begin
    assert pg_temp.told('identity_open_session', ask || jsonb_build_object('password_hash', pg_temp.bcrypt('old'))) = 'INVALID_CREDENTIALS 400';
    assert pg_temp.told('identity_open_session', ask || jsonb_build_object('user_id', gen_random_uuid())) = 'USER_NOT_FOUND 404';
    assert pg_temp.told('identity_open_session', ask - 'refresh_hash') = 'VALIDATION_ERROR 400';
    update auth.users set banned_until = now() + interval '1 minute' where id = who;
    assert pg_temp.told('identity_open_session', ask) = 'USER_BANNED 403';
    assert pg_temp.ask('identity_password', '{"email": "awa@identity.test"}') -> 'banned' = 'true';
    update auth.users set banned_until = now() - interval '1 minute', last_sign_in_at = '2020-01-01' where id = who;
    update people.profiles set is_active = false where id = who;
    assert pg_temp.told('identity_open_session', ask) = 'USER_BANNED 403', 'the house has switched him off';
    update people.profiles set is_active = true where id = who;
    assert pg_temp.told('identity_open_session', ask || jsonb_build_object('password_hash', pg_temp.bcrypt('awa'), 'amr', 'otp')) = 'ok';
    assert (select last_sign_in_at = now() from auth.users where id = who) and pg_temp.sessions(who::text) = 2;
end $$;
rollback;
