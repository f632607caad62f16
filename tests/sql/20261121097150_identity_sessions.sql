begin;
\ir lib/identity.psql
-- Refreshes NAME: the token t becomes the token n.
create function pg_temp.refreshed(t text, n text, more jsonb default '{}') returns jsonb language sql as $$
    select pg_temp.ask('identity_refresh', jsonb_build_object('refresh_hash', pg_temp.hash(t), 'new_hash', pg_temp.hash(n)) || more)
$$;
create function pg_temp.refused(t text, n text, more jsonb default '{}') returns text language sql as $$
    select pg_temp.told('identity_refresh', jsonb_build_object('refresh_hash', pg_temp.hash(t), 'new_hash', pg_temp.hash(n)) || more)
$$;
-- Time passes for a used token.
create function pg_temp.used_ago(t text, ago interval) returns void language sql as $$
    update auth.refresh_tokens set updated_at = clock_timestamp() - ago where token = pg_temp.hash(t)
$$;

-- A token works once, and its child carries on; the session stays the same and remembers who came last.
do $$
declare
    first jsonb := pg_temp.signed_up('rotation');
    got jsonb := pg_temp.refreshed('r-rotation', 'b', '{"user_agent": "phone", "ip": "10.9.9.9"}');
begin
    assert got -> 'session' = first -> 'session' and got -> 'user' -> 'id' = first -> 'user' -> 'id', got::text;
    assert (select (t.revoked, t.parent) = (false, pg_temp.hash('r-rotation')) from auth.refresh_tokens t where t.token = pg_temp.hash('b'));
    assert (select t.revoked from auth.refresh_tokens t where t.token = pg_temp.hash('r-rotation'));
    assert (select s.user_agent = 'phone' and s.ip = '10.9.9.9' and s.refreshed_at is not null
              from auth.sessions s where s.id::text = got -> 'session' ->> 'id');
    assert pg_temp.refused('b', 'c') = 'ok' and pg_temp.refused('nothing', 'x') = 'REFRESH_TOKEN_NOT_FOUND 400';
    assert pg_temp.told('identity_refresh', '{}') = 'VALIDATION_ERROR 400';
    assert pg_temp.told('identity_refresh', jsonb_build_object('refresh_hash', pg_temp.hash('c'))) = 'VALIDATION_ERROR 400';
end $$;

-- Two tabs wake up at once. The second waits for the session's lock and then sees what this sees: a token that was used a moment
-- ago. It gets a sibling; both carry on.
do $$
declare
    one jsonb := pg_temp.signed_up('tabs');
    two jsonb;
begin
    perform pg_temp.used_ago('r-tabs', '1 day');   -- It was given out long ago: what counts is when it was used.
    perform pg_temp.refreshed('r-tabs', 'tab-1');
    two := pg_temp.refreshed('r-tabs', 'tab-2');
    assert two -> 'session' -> 'id' = one -> 'session' -> 'id';
    assert (select count(*) from auth.refresh_tokens t where t.parent = pg_temp.hash('r-tabs') and not t.revoked) = 2;
    assert pg_temp.refused('tab-1', 'tab-3') = 'ok' and pg_temp.refused('tab-2', 'tab-4') = 'ok';
    perform pg_temp.used_ago('r-tabs', '9 seconds');
    assert pg_temp.refused('r-tabs', 'tab-5') = 'ok', 'the last moment';
    assert (select t.updated_at < clock_timestamp() - interval '8 seconds' from auth.refresh_tokens t where t.token = pg_temp.hash('r-tabs')),
        'each use would give another 10 seconds';
end $$;

-- Later it is a thief, or his victim: the session ends for both, and that is written down.
do $$
declare
    got jsonb := pg_temp.signed_up('stolen');
    session text := got -> 'session' ->> 'id';
begin
    perform pg_temp.refreshed('r-stolen', 'stolen-2');
    perform pg_temp.ask('identity_open_session', jsonb_build_object('user_id', got -> 'user' -> 'id', 'refresh_hash', pg_temp.hash('elsewhere')));
    perform pg_temp.used_ago('r-stolen', '11 seconds');
    assert pg_temp.refused('r-stolen', 'stolen-3') = 'REFRESH_TOKEN_ALREADY_USED 400';
    assert not exists (select from auth.sessions s where s.id::text = session), 'returned, not raised: the end is kept';
    assert pg_temp.refused('stolen-2', 'stolen-4') = 'REFRESH_TOKEN_NOT_FOUND 400', 'the child has gone with it';
    assert pg_temp.refused('elsewhere', 'elsewhere-2') = 'ok', 'his other sessions stay';
    assert (select (a.actor_id::text, a.target_id) = (got -> 'user' ->> 'id', session) from core.audit_logs a where a.action = 'refresh_token_reused');
    assert pg_temp.told('identity_user', jsonb_build_object('user_id', got -> 'user' -> 'id', 'session_id', session)) = 'SESSION_NOT_FOUND 403';
    -- The time is a setting.
    perform pg_temp.used_ago('elsewhere', '11 seconds');
    update core.settings set value = 12 where key = 'refresh_reuse_seconds';
    assert pg_temp.refused('elsewhere', 'elsewhere-3') = 'ok';
    update core.settings set value = 10 where key = 'refresh_reuse_seconds';
end $$;

-- A token that came from Supabase is stored as it is. It works once, and from then on only its hash is here. A hash that was
-- read from the table is no token.
do $$
declare
    who uuid := (pg_temp.signed_up('moved') -> 'user' ->> 'id')::uuid;
    imported uuid := gen_random_uuid();
begin
    insert into auth.sessions (id, user_id, created_at) values (imported, who, now());
    insert into auth.refresh_tokens (token, user_id, revoked, created_at, updated_at, session_id)
    values ('v1nq3k5x2wab', who::text, false, now(), now(), imported);
    assert pg_temp.refused('v1nq3k5x2wab', 'n1') = 'REFRESH_TOKEN_NOT_FOUND 400', 'without the token itself it cannot be found';
    assert pg_temp.refreshed('v1nq3k5x2wab', 'n1', '{"token": "v1nq3k5x2wab"}') -> 'session' ->> 'id' = imported::text;
    assert not exists (select from auth.refresh_tokens t where 'v1nq3k5x2wab' in (t.token, t.parent));
    assert pg_temp.refused('v1nq3k5x2wab', 'n2', '{"token": "v1nq3k5x2wab"}') = 'ok', 'the second tab';
    perform pg_temp.used_ago('v1nq3k5x2wab', '1 minute');
    assert pg_temp.refused('v1nq3k5x2wab', 'n3', '{"token": "v1nq3k5x2wab"}') = 'REFRESH_TOKEN_ALREADY_USED 400';
    assert pg_temp.refused(pg_temp.hash('r-moved'), 'n4', jsonb_build_object('token', pg_temp.hash('r-moved'))) = 'REFRESH_TOKEN_NOT_FOUND 400';
    assert pg_temp.refused('r-moved', 'n5') = 'ok';
end $$;

-- No new token for the banned, nor in a session that is over; a token without a session belongs to none.
do $$
declare
    got jsonb := pg_temp.signed_up('over');
    who uuid := got -> 'user' ->> 'id';
    own uuid := got -> 'session' ->> 'id';
begin
    update people.profiles set is_active = false where id = who;
    assert pg_temp.refused('r-over', 'o1') = 'USER_BANNED 403';
    assert pg_temp.told('identity_user', jsonb_build_object('user_id', who, 'session_id', own)) = 'USER_BANNED 403';
    update people.profiles set is_active = true where id = who;
    update auth.sessions set not_after = now() - interval '1 second' where id = own;
    assert pg_temp.refused('r-over', 'o1') = 'SESSION_NOT_FOUND 403';
    assert pg_temp.told('identity_user', jsonb_build_object('user_id', who, 'session_id', own)) = 'SESSION_NOT_FOUND 403';
    update auth.sessions set not_after = null, created_at = now() - interval '91 days' where id = own;
    assert pg_temp.refused('r-over', 'o1') = 'SESSION_NOT_FOUND 403', 'asleep too long, even before anybody has cleaned up';
    update auth.sessions set refreshed_at = now() at time zone 'UTC' where id = own;
    assert pg_temp.refused('r-over', 'o1') = 'ok', 'a refusal has used nothing up';
    update auth.refresh_tokens set session_id = null where token = pg_temp.hash('o1');
    assert pg_temp.refused('o1', 'o2') = 'SESSION_NOT_FOUND 403';
end $$;

-- Who is signed in: the user of the token, in a session of his own; a token without a session is the operator's.
do $$
declare
    got jsonb := pg_temp.signed_up('me');
    other jsonb := pg_temp.signed_up('other');
    ask jsonb := jsonb_build_object('user_id', got -> 'user' -> 'id', 'session_id', got -> 'session' -> 'id');
begin
    assert pg_temp.ask('identity_user', ask) = got - 'exists', 'the same as after signing up';
    assert pg_temp.ask('identity_user', ask - 'session_id') = (got || '{"session": null}') - 'exists';
    assert pg_temp.told('identity_user', ask || jsonb_build_object('session_id', other -> 'session' -> 'id')) = 'SESSION_NOT_FOUND 403';
    assert pg_temp.told('identity_user', ask || jsonb_build_object('user_id', gen_random_uuid())) = 'USER_NOT_FOUND 403';
    assert pg_temp.told('identity_user', '{}') = 'VALIDATION_ERROR 400';
end $$;

-- Signing out: this session, all others, every one; by the token too; and again, which ends nothing and refuses nothing.
do $$
declare
    got jsonb := pg_temp.signed_up('leaver');
    who text := got -> 'user' ->> 'id';
    ask jsonb := jsonb_build_object('user_id', who, 'session_id', got -> 'session' -> 'id');
begin
    for n in 1 .. 3 loop
        perform pg_temp.ask('identity_open_session', jsonb_build_object('user_id', who, 'refresh_hash', pg_temp.hash('l' || n)));
    end loop;
    assert pg_temp.told('identity_sign_out', ask || '{"scope": "everything"}') = 'VALIDATION_ERROR 400' and pg_temp.sessions(who) = 4;
    assert pg_temp.ask('identity_sign_out', jsonb_build_object('refresh_hash', pg_temp.hash('l1'), 'scope', 'local')) = '{"ended": 1}';
    assert pg_temp.ask('identity_sign_out', jsonb_build_object('refresh_hash', pg_temp.hash('l1'), 'scope', 'local')) = '{"ended": 0}';
    assert pg_temp.refused('l1', 'x') = 'REFRESH_TOKEN_NOT_FOUND 400' and pg_temp.refused('l2', 'l22') = 'ok';
    assert pg_temp.ask('identity_sign_out', ask || '{"scope": "others"}') = '{"ended": 2}';
    assert pg_temp.told('identity_user', ask) = 'ok';
    assert pg_temp.ask('identity_sign_out', ask || '{"scope": "local"}') = '{"ended": 1}';
    assert pg_temp.ask('identity_sign_out', ask || '{"scope": "local"}') = '{"ended": 0}';
    perform pg_temp.ask('identity_open_session', jsonb_build_object('user_id', who, 'refresh_hash', pg_temp.hash('l4')));
    assert pg_temp.ask('identity_sign_out', ask) = '{"ended": 1}', 'global, when nothing is said';
    assert pg_temp.told('identity_sign_out', '{"scope": "global"}') = 'VALIDATION_ERROR 400', 'nobody is not everybody';
end $$;
rollback;
