begin;
\ir lib/identity.psql
create function pg_temp.recovery(token text, more jsonb default '{}') returns jsonb language sql as $$
    select jsonb_build_object('email', 'awa@identity.test', 'token_hash', pg_temp.hash(token), 'link', 'https://x.test/' || token) || more
$$;
create function pg_temp.opening(kind text, token text, more jsonb default '{}') returns jsonb language sql as $$
    select jsonb_build_object('type', kind, 'token_hash', pg_temp.hash(token), 'refresh_hash', pg_temp.hash(token || random())) || more
$$;
create function pg_temp.mails(recipient text) returns text[] language sql as $$
    select array_agg(o.payload ->> 'type' || ' ' || (o.payload ->> 'link') order by o.created_at, o.payload ->> 'link')
      from core.outbox o where o.channel = 'email' and o.payload ->> 'to' = recipient
$$;

-- A recovery is one mail, once a minute, and the answer says nothing of who exists. The link opens one session, once.
do $$
declare
    who text := pg_temp.signed_up('awa') -> 'user' ->> 'id';
    got jsonb;
begin
    assert pg_temp.ask('identity_recover', pg_temp.recovery('k1', '{"email": "AWA@identity.test"}')) = '{}';
    assert pg_temp.ask('identity_recover', pg_temp.recovery('k0', '{"email": "nobody@identity.test"}')) = '{}';
    assert pg_temp.mails('awa@identity.test') = '{auth.recovery https://x.test/k1}' and pg_temp.mails('nobody@identity.test') is null;
    assert pg_temp.told('identity_recover', pg_temp.recovery('k2')) = 'OVER_EMAIL_SEND_RATE_LIMIT 429';
    assert pg_temp.told('identity_verify', pg_temp.opening('recovery', 'k2')) = 'OTP_EXPIRED 403', 'a refused mail leaves no token';
    assert pg_temp.told('identity_verify', pg_temp.opening('signup', 'k1')) = 'OTP_EXPIRED 403', 'a link of another kind';
    assert pg_temp.told('identity_verify', pg_temp.opening('recovery', 'k1', '{"email": "other@identity.test"}')) = 'OTP_EXPIRED 403';
    got := pg_temp.ask('identity_verify', pg_temp.opening('recovery', 'k1', '{"email": "Awa@identity.test"}'));
    assert got -> 'user' ->> 'id' = who and got -> 'session' -> 'amr' -> 0 ->> 'method' = 'otp', got::text;
    assert pg_temp.told('identity_verify', pg_temp.opening('recovery', 'k1')) = 'OTP_EXPIRED 403', 'used';
    assert pg_temp.told('identity_verify', pg_temp.opening('no such', 'k1')) = 'VALIDATION_ERROR 400';
    assert pg_temp.told('identity_recover', pg_temp.recovery('k3', '{"link": null}')) = 'VALIDATION_ERROR 400';
end $$;

-- An hour, and the newest alone.
do $$
begin
    perform pg_temp.mails_age();
    perform pg_temp.ask('identity_recover', pg_temp.recovery('k4'));
    update auth.one_time_tokens set created_at = created_at - interval '61 minutes' where token_hash = pg_temp.hash('k4');
    assert pg_temp.told('identity_verify', pg_temp.opening('recovery', 'k4')) = 'OTP_EXPIRED 403', 'expired';
    update auth.one_time_tokens set created_at = created_at + interval '2 minutes' where token_hash = pg_temp.hash('k4');
    perform pg_temp.mails_age();
    perform pg_temp.ask('identity_recover', pg_temp.recovery('k5', '{"type": "magiclink"}'));
    assert pg_temp.told('identity_verify', pg_temp.opening('recovery', 'k4')) = 'OTP_EXPIRED 403', 'an older one';
    update people.profiles set is_active = false where email = 'awa@identity.test';
    assert pg_temp.told('identity_verify', pg_temp.opening('magiclink', 'k5')) = 'USER_BANNED 403';
    update people.profiles set is_active = true where email = 'awa@identity.test';
    assert pg_temp.told('identity_verify', pg_temp.opening('email', 'k5')) = 'ok', 'the last minute, and a refusal had not used it up';
    assert 'auth.magiclink https://x.test/k5' = any (pg_temp.mails('awa@identity.test'));
    perform pg_temp.mails_age();
    assert pg_temp.ask('identity_recover', pg_temp.recovery('k6', '{"type": "signup"}')) = '{}';
    assert 'auth.signup https://x.test/k6' <> all (pg_temp.mails('awa@identity.test')), 'who is confirmed has nothing to confirm';
end $$;

-- The link of a sign-up confirms the address; so does any other link that went there.
do $$
declare
    ask jsonb := jsonb_build_object('password_hash', pg_temp.bcrypt('x'), 'confirmation_link', 'https://x.test/c');
    got jsonb;
begin
    perform pg_temp.ask('identity_sign_up', ask || jsonb_build_object('email', 'one@identity.test', 'confirmation_hash', pg_temp.hash('c1'))),
        pg_temp.ask('identity_sign_up', ask || jsonb_build_object('email', 'two@identity.test', 'confirmation_hash', pg_temp.hash('c2')));
    got := pg_temp.ask('identity_verify', pg_temp.opening('signup', 'c1'));
    assert got -> 'user' ? 'email_confirmed_at' and got -> 'user' -> 'identities' -> 0 -> 'identity_data' -> 'email_verified' = 'true', got::text;
    perform pg_temp.mails_age();
    perform pg_temp.ask('identity_recover', pg_temp.recovery('c3', '{"email": "two@identity.test"}'));
    assert pg_temp.ask('identity_verify', pg_temp.opening('recovery', 'c3')) -> 'user' ? 'email_confirmed_at';
end $$;

-- A new password ends the other sessions and the open links, not the session it was set in.
do $$
declare
    got jsonb := pg_temp.signed_up('changer');
    who text := got -> 'user' ->> 'id';
    ask jsonb := jsonb_build_object('user_id', who, 'session_id', got -> 'session' -> 'id');
begin
    perform pg_temp.ask('identity_open_session', jsonb_build_object('user_id', who, 'refresh_hash', pg_temp.hash('p2')));
    perform pg_temp.ask('identity_recover', pg_temp.recovery('p3', '{"email": "changer@identity.test"}'));
    assert pg_temp.ask('identity_update_user', ask || jsonb_build_object('password_hash', pg_temp.bcrypt('new'))) -> 'user' ->> 'id' = who;
    assert (select encrypted_password from auth.users where id::text = who) = pg_temp.bcrypt('new');
    assert pg_temp.told('identity_user', ask) = 'ok' and pg_temp.sessions(who) = 1;
    assert pg_temp.told('identity_verify', pg_temp.opening('recovery', 'p3')) = 'OTP_EXPIRED 403';
    assert exists (select from core.audit_logs a where a.action = 'password_changed' and a.target_id = who and a.actor_id::text = who);
    assert pg_temp.told('identity_update_user', ask || '{"password_hash": "clear text"}') = 'VALIDATION_ERROR 400';
    perform pg_temp.ask('identity_sign_out', ask || '{"scope": "local"}');
    assert pg_temp.told('identity_update_user', ask || jsonb_build_object('password_hash', pg_temp.bcrypt('late'))) = 'SESSION_NOT_FOUND 403';
end $$;

-- What a user writes about himself is merged; what hangs on rights is not his.
do $$
declare
    got jsonb := pg_temp.signed_up('writer', '{"data": {"a": 1, "b": 2}}');
    ask jsonb := jsonb_build_object('user_id', got -> 'user' -> 'id', 'session_id', got -> 'session' -> 'id');
begin
    got := pg_temp.ask('identity_update_user', ask || '{"data": {"b": null, "c": 3, "app_metadata": {"role": "x"}}, "app_metadata": {"role": "admin"},
        "raw_app_meta_data": {"role": "admin"}, "role": "service_role", "is_super_admin": true}');
    assert got -> 'user' -> 'user_metadata' = '{"a": 1, "c": 3, "app_metadata": {"role": "x"}}', got::text;
    assert got -> 'user' -> 'app_metadata' = '{"provider": "email", "providers": ["email"]}' and got -> 'user' ->> 'role' = 'authenticated';
    perform pg_temp.ask('identity_update_user', ask || jsonb_build_object('data', jsonb_build_object('x', repeat('x', 10000))));
    assert pg_temp.told('identity_update_user', ask || jsonb_build_object('data', jsonb_build_object('y', repeat('y', 10000)))) = 'VALIDATION_ERROR 400';
end $$;

-- A new address counts when its mail has been read: until then the old one is shown, and it is the old one that signs in.
do $$
declare
    got jsonb := pg_temp.signed_up('mover');
    who text := got -> 'user' ->> 'id';
    ask jsonb := jsonb_build_object('user_id', who, 'session_id', got -> 'session' -> 'id', 'email', 'Moved@identity.test',
        'confirmation_hash', pg_temp.hash('e1'), 'confirmation_link', 'https://x.test/e1');
begin
    got := pg_temp.ask('identity_update_user', ask);
    assert got -> 'user' ->> 'email' = 'mover@identity.test' and got -> 'user' ->> 'new_email' = 'moved@identity.test', got::text;
    assert pg_temp.mails('moved@identity.test') = '{auth.email_change https://x.test/e1}' and pg_temp.mails('mover@identity.test') is null;
    assert pg_temp.told('identity_update_user', ask || '{"email": "AWA@identity.test"}') = 'EMAIL_EXISTS 422';
    assert pg_temp.told('identity_update_user', ask) = 'OVER_EMAIL_SEND_RATE_LIMIT 429';
    assert pg_temp.told('identity_update_user', ask || '{"email": "MOVER@identity.test"}') = 'ok', 'his own is no change';
    got := pg_temp.ask('identity_verify', pg_temp.opening('email_change', 'e1'));
    assert got -> 'user' ->> 'email' = 'moved@identity.test' and not got -> 'user' ? 'new_email', got::text;
    assert got -> 'user' -> 'identities' -> 0 ->> 'email' = 'moved@identity.test' and jsonb_array_length(got -> 'user' -> 'identities') = 1;
    assert (select p.email from people.profiles p where p.id::text = who) = 'moved@identity.test';
    assert pg_temp.ask('identity_password', '{"email": "mover@identity.test"}') -> 'user_id' = 'null';
    assert (select (a.old ->> 'email', a.new ->> 'email') = ('m***@identity.test', 'm***@identity.test') from core.audit_logs a
             where a.action = 'email_changed' and a.target_id = who);
    -- Taken between the mail and the click: by name, not by a crash.
    perform pg_temp.mails_age();
    perform pg_temp.ask('identity_update_user', ask || jsonb_build_object('email', 'race@identity.test', 'confirmation_hash', pg_temp.hash('e2')));
    perform pg_temp.signed_up('race');
    assert pg_temp.told('identity_verify', pg_temp.opening('email_change', 'e2')) = 'EMAIL_EXISTS 422';
end $$;

-- Somebody anonymous becomes somebody: with an address that counts at once, or once its mail is read.
do $$
declare
    got jsonb := pg_temp.ask('identity_sign_up', jsonb_build_object('anonymous', true, 'refresh_hash', pg_temp.hash('anon')));
    ask jsonb := jsonb_build_object('user_id', got -> 'user' -> 'id', 'session_id', got -> 'session' -> 'id');
begin
    assert pg_temp.told('identity_update_user', ask || jsonb_build_object('password_hash', pg_temp.bcrypt('x'))) = 'VALIDATION_ERROR 400';
    got := pg_temp.ask('identity_update_user', ask || jsonb_build_object('email', 'named@identity.test', 'autoconfirm', true,
        'password_hash', pg_temp.bcrypt('x')));
    assert got -> 'user' -> 'is_anonymous' = 'false' and got -> 'user' ? 'email_confirmed_at', got::text;
    assert got -> 'user' -> 'app_metadata' = '{"provider": "email", "providers": ["email"]}';
    assert pg_temp.ask('identity_password', '{"email": "named@identity.test"}') ->> 'password_hash' = pg_temp.bcrypt('x');
    got := pg_temp.ask('identity_sign_up', jsonb_build_object('anonymous', true));
    ask := jsonb_build_object('user_id', got -> 'user' -> 'id', 'email', 'later@identity.test', 'confirmation_hash', pg_temp.hash('a1'),
        'confirmation_link', 'https://x.test/a1');
    assert pg_temp.ask('identity_update_user', ask) -> 'user' -> 'is_anonymous' = 'true';
    got := pg_temp.ask('identity_verify', pg_temp.opening('email_change', 'a1'));
    assert got -> 'user' -> 'is_anonymous' = 'false' and got -> 'user' ->> 'email' = 'later@identity.test', got::text;
end $$;
rollback;
