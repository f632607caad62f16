-- Identity: refreshing with rotation, who is signed in, signing out.
-- Why:       a refresh token works once. Used again it is a second tab for 10 s, and after that a copy in the wrong hands.
-- Locks:     none on existing tables; a session before its tokens, so that parallel refreshes queue and see each other.
-- Old code:  keeps working; nothing it reads changes.
-- Undo:      drop function api.identity_refresh(jsonb), api.identity_user(jsonb), api.identity_sign_out(jsonb), and the
--            functions created here.

create function identity.token_of(ask jsonb) returns auth.refresh_tokens language plpgsql stable set search_path = '' as $$
declare
    found auth.refresh_tokens;
    plain text := core.text_field(ask, 'token', 1, 255);
begin
    select * into found from auth.refresh_tokens t where t.token = identity.hash_field(ask, 'refresh_hash');
    -- A row that came from Supabase holds the token itself. What looks like a hash is never looked up as a token: whoever
    -- has read our table holds hashes.
    if found.id is null and plain !~ '^[0-9a-f]{64}$' then
        select * into found from auth.refresh_tokens t where t.token = plain;
    end if;
    return found;
end $$;

create function identity.reused(s auth.sessions, token auth.refresh_tokens) returns jsonb language plpgsql set search_path = '' as $$
begin
    delete from auth.sessions x where x.id = s.id;
    perform identity.audited(s.user_id, 'refresh_token_reused', 'session', s.id::text,
        jsonb_build_object('revoked_at', identity.utc(token.updated_at), 'created_at', identity.utc(s.created_at)));
    return core.answer(jsonb_build_object('code', 'REFRESH_TOKEN_ALREADY_USED', 'message', 'Invalid Refresh Token: Already Used',
        'details', null, 'hint', null), 400);
end $$;
comment on function identity.reused is 'Returned, not raised: the end of the session has to be committed.';

create function identity.rotated(s auth.sessions, token auth.refresh_tokens, ask jsonb) returns auth.sessions
    language plpgsql set search_path = '' as $$
declare
    presented text := identity.hash_field(ask, 'refresh_hash');
begin
    if not coalesce(token.revoked, false) then
        -- Whichever way it was stored: from here on only its hash is kept. The clock, not the transaction's start: who waited
        -- for the lock began before this.
        update auth.refresh_tokens t set revoked = true, updated_at = clock_timestamp(), token = presented where t.id = token.id;
    end if;
    insert into auth.refresh_tokens (token, user_id, revoked, created_at, updated_at, parent, session_id)
    values (identity.hash_field(ask, 'new_hash'), s.user_id::text, false, now(), now(), presented, s.id);
    update auth.sessions x set refreshed_at = now() at time zone 'UTC', updated_at = now(),
           user_agent = left(ask ->> 'user_agent', 500), ip = identity.ip_field(ask) where x.id = s.id returning * into s;
    return s;
end $$;

create function identity.refresh(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    token auth.refresh_tokens := identity.token_of(ask);
    s auth.sessions;
    u auth.users;
begin
    perform identity.required(ask, 'refresh_hash', 'new_hash');
    if token.id is null then
        perform core.refuse('REFRESH_TOKEN_NOT_FOUND', 400, 'Invalid Refresh Token: Refresh Token Not Found');
    end if;
    select * into s from auth.sessions x where x.id = token.session_id for update;
    if not found or identity.is_over(s) then
        perform core.refuse('SESSION_NOT_FOUND', 403, 'Invalid Refresh Token: No Valid Session Found');
    end if;
    -- As it is now, behind whoever held the session.
    select * into token from auth.refresh_tokens t where t.id = token.id for update;
    select * into u from auth.users x where x.id = s.user_id;
    if identity.is_banned(u) then
        perform core.refuse('USER_BANNED', 403, 'User is banned');
    elsif token.revoked
        and token.updated_at < clock_timestamp() - make_interval(secs => core.setting('refresh_reuse_seconds')) then
        return identity.reused(s, token);
    end if;
    s := identity.rotated(s, token, ask);
    return jsonb_build_object('user', identity.shown(u), 'session', identity.shown_session(s));
end $$;
comment on function identity.refresh is
    'A used token within refresh_reuse_seconds gets a sibling: two tabs woke up at once. Later the whole session ends.';

-- ------------------------------------------------------------------------------------------------------- who is signed in

create function identity.present(ask jsonb) returns auth.users language plpgsql stable set search_path = '' as $$
declare
    who uuid := core.uuid_field(ask, 'user_id');
    named uuid := core.uuid_field(ask, 'session_id');
    s auth.sessions;
    u auth.users;
begin
    perform identity.required(ask, 'user_id');
    select * into u from auth.users x where x.id = who and x.deleted_at is null;
    if not found then
        perform core.refuse('USER_NOT_FOUND', 403, 'User from sub claim in JWT does not exist');
    end if;
    -- A token without a session is one that the operator made.
    if named is not null then
        select * into s from auth.sessions x where x.id = named and x.user_id = who;
        if not found or identity.is_over(s) then
            perform core.refuse('SESSION_NOT_FOUND', 403, 'Session from session_id claim in JWT does not exist');
        end if;
    end if;
    if identity.is_banned(u) then
        perform core.refuse('USER_BANNED', 403, 'User is banned');
    end if;
    return u;
end $$;
comment on function identity.present is 'The user of a token that the edge has verified, as long as his session lasts.';

create function identity.who(ask jsonb) returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
    u auth.users := identity.present(ask);
begin
    return jsonb_build_object('user', identity.shown(u), 'session', (
        select identity.shown_session(s) from auth.sessions s where s.id = core.uuid_field(ask, 'session_id')));
end $$;

-- ---------------------------------------------------------------------------------------------------------- signing out

create function identity.sign_out(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    who uuid := core.uuid_field(ask, 'user_id');
    named uuid := core.uuid_field(ask, 'session_id');
    scope text := coalesce(core.text_field(ask, 'scope', 1, 20), 'global');
    token auth.refresh_tokens;
    ended integer;
begin
    if scope not in ('local', 'global', 'others') then
        perform core.invalid('scope', 'must be local, global or others');
    elsif who is null then
        perform identity.required(ask, 'refresh_hash');
        token := identity.token_of(ask);
        named := token.session_id;
        select s.user_id into who from auth.sessions s where s.id = named;
    end if;
    perform from auth.users u where u.id = who for update;   -- Two that end several sessions do not cross.
    delete from auth.sessions s where s.user_id = who and case scope
        when 'local' then s.id = named when 'others' then s.id is distinct from named else true end;
    get diagnostics ended = row_count;
    return jsonb_build_object('ended', ended);
end $$;
comment on function identity.sign_out is 'What is gone already is no refusal: whoever signs out is signed out.';

create function api.identity_refresh(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return identity.refresh(ask);
create function api.identity_user(ask jsonb) returns jsonb language sql stable security invoker set search_path = ''
    return identity.who(ask);
create function api.identity_sign_out(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return identity.sign_out(ask);

revoke execute on all functions in schema api, identity from public;
grant execute on function identity.refresh(jsonb), identity.who(jsonb), identity.sign_out(jsonb), api.identity_refresh(jsonb),
    api.identity_user(jsonb), api.identity_sign_out(jsonb) to service_role;
