-- Identity: the keys that sign access tokens, their four states, and the public set that verifiers fetch.
-- Why:       a key is announced (standby) before it signs (current), is believed after it has signed (previous), and can be ended.
-- Locks:     none on existing tables.
-- Old code:  keeps working: whoever verifies with fixed keys does not ask here.
-- Undo:      drop function api.jwks(), api.signing_keys_state(jsonb), api.signing_key_add(jsonb), api.signing_keys_rotate(jsonb),
--            api.signing_key_revoke(jsonb), the functions created here; drop table identity.signing_keys;

create table identity.signing_keys (
    kid         text primary key check (kid ~ '^[A-Za-z0-9_-]{1,100}$'),
    status      text not null check (status in ('standby', 'current', 'previous', 'revoked')),
    public_jwk  jsonb not null,
    private_key bytea,
    created_at  timestamptz not null default now(),
    changed_at  timestamptz not null default now(),
    -- Only what may be published; an ES256 key, and the same id inside and outside.
    constraint signing_keys_public check (coalesce(public_jwk ->> 'kty' = 'EC' and public_jwk ->> 'crv' = 'P-256'
        and public_jwk ->> 'x' ~ '^[A-Za-z0-9_-]{43}$' and public_jwk ->> 'y' ~ '^[A-Za-z0-9_-]{43}$'
        and public_jwk ->> 'kid' = kid and not public_jwk ? 'd', false)),
    constraint signing_keys_private check ((private_key is not null) = (status in ('standby', 'current')))
);
create unique index signing_keys_one_current on identity.signing_keys (status) where status = 'current';
create unique index signing_keys_one_standby on identity.signing_keys (status) where status = 'standby';
alter table identity.signing_keys enable row level security;
comment on column identity.signing_keys.private_key is
    'AES-256-GCM under a secret of the edge, which alone makes and opens it; gone once the key signs no more.';

create function identity.jwks() returns jsonb language sql stable security definer set search_path = '' as $$
    select jsonb_build_object('keys', coalesce(jsonb_agg(jsonb_build_object('kty', 'EC', 'crv', 'P-256', 'x', k.public_jwk -> 'x',
               'y', k.public_jwk -> 'y', 'kid', k.kid, 'alg', 'ES256', 'use', 'sig', 'key_ops', jsonb_build_array('verify'))
               order by k.status, k.changed_at desc, k.kid), '[]'))
      from identity.signing_keys k where k.status <> 'revoked'
$$;
comment on function identity.jwks is 'Public by its nature. No argument, so that a plain GET fetches it.';

create function identity.shown_key(k identity.signing_keys) returns jsonb language sql stable set search_path = '' as $$
    select jsonb_build_object('kid', k.kid, 'status', k.status, 'public_jwk', k.public_jwk, 'created_at', identity.utc(k.created_at),
        'private_key', translate(encode(k.private_key, 'base64'), E'\n', ''))
$$;

create function identity.keys_state(ask jsonb) returns jsonb language sql stable security definer set search_path = '' as $$
    select jsonb_build_object('keys', coalesce(jsonb_agg(identity.shown_key(k)
               order by array_position('{current,standby,previous,revoked}', k.status), k.changed_at desc, k.kid), '[]'))
      from identity.signing_keys k
$$;

-- -------------------------------------------------------------------------------------------------------------- adding

create function identity.private_key_field(ask jsonb) returns bytea language plpgsql stable set search_path = '' as $$
declare
    found bytea;
begin
    found := decode(core.text_field(ask, 'private_key', 1, 8192), 'base64');
    if length(found) < 28 then   -- The nonce and the tag alone: nothing was encrypted.
        perform core.invalid('private_key', 'is too short');
    end if;
    return found;
exception when invalid_parameter_value then
    perform core.invalid('private_key', 'must be base64');
end $$;

create function identity.key_add(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    made identity.signing_keys;
begin
    perform identity.required(ask, 'kid', 'public_jwk', 'private_key', 'status');
    if ask ->> 'status' not in ('current', 'standby') then
        perform core.invalid('status', 'must be current or standby');
    end if;
    -- Without a target: a place that is taken, or an id. Whoever else is at it is waited for.
    insert into identity.signing_keys (kid, status, public_jwk, private_key)
    values (core.text_field(ask, 'kid', 1, 100), ask ->> 'status', ask -> 'public_jwk', identity.private_key_field(ask))
    on conflict do nothing returning * into made;
    if found then
        perform identity.audited(core.uuid_field(ask, 'actor'), 'signing_key_added', 'signing_key', made.kid, null,
            jsonb_build_object('status', made.status));
        return jsonb_build_object('key', identity.shown_key(made), 'added', true);
    end if;
    select * into made from identity.signing_keys k where k.status = ask ->> 'status';
    if not found then
        perform core.invalid('kid', 'belongs to an earlier key');
    end if;
    return jsonb_build_object('key', identity.shown_key(made), 'added', false);
exception when check_violation then
    perform core.invalid('public_jwk', 'must be a public ES256 key (EC, P-256, x, y) with the same kid');
end $$;
comment on function identity.key_add is 'Of two that make the first key at the same moment, both get the winner''s row.';

-- ------------------------------------------------------------------------------------------------------------ rotating

create function identity.keys_advanced(actor uuid, leaving text) returns identity.signing_keys
    language plpgsql set search_path = '' as $$
declare
    heir identity.signing_keys;
    last identity.signing_keys;
begin
    select * into heir from identity.signing_keys k where k.status = 'standby' for update;
    if not found then
        perform core.refuse('KEY_MISSING', 409, 'there is no standby key', null, 'add one first, and give verifiers 20 minutes to fetch it');
    end if;
    update identity.signing_keys k set status = leaving, private_key = null, changed_at = now() where k.status = 'current'
    returning * into last;
    update identity.signing_keys k set status = 'current', changed_at = now() where k.kid = heir.kid returning * into heir;
    perform identity.audited(actor, 'signing_keys_rotated', 'signing_key', heir.kid,
        jsonb_build_object('current', last.kid), jsonb_build_object('current', heir.kid, 'left_as', leaving));
    return heir;
end $$;

create function identity.keys_rotate(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    before text := (select k.kid from identity.signing_keys k where k.status = 'current');
begin
    return jsonb_build_object('previous', before,
        'current', identity.shown_key(identity.keys_advanced(core.uuid_field(ask, 'actor'), 'previous')));
end $$;

create function identity.key_revoke(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    k identity.signing_keys;
    was text;
begin
    perform identity.required(ask, 'kid');
    select * into k from identity.signing_keys x where x.kid = core.text_field(ask, 'kid', 1, 100) for update;
    if not found then
        perform core.refuse('KEY_NOT_FOUND', 404, 'no such key');
    end if;
    was := k.status;
    if was = 'current' then
        -- Somebody must sign: the standby takes over in the same moment, or nothing happens.
        perform identity.keys_advanced(core.uuid_field(ask, 'actor'), 'revoked');
        select * into k from identity.signing_keys x where x.kid = k.kid;
    elsif was <> 'revoked' then
        update identity.signing_keys x set status = 'revoked', private_key = null, changed_at = now() where x.kid = k.kid returning * into k;
    end if;
    if was <> 'revoked' then
        perform identity.audited(core.uuid_field(ask, 'actor'), 'signing_key_revoked', 'signing_key', k.kid,
            jsonb_build_object('status', was), jsonb_build_object('status', k.status));
    end if;
    return jsonb_build_object('key', identity.shown_key(k));
end $$;
comment on function identity.key_revoke is 'What it has signed is refused as soon as verifiers fetch again: 10 minutes at the latest.';

create function api.jwks() returns jsonb language sql stable security invoker set search_path = ''
    return identity.jwks();
create function api.signing_keys_state(ask jsonb default null) returns jsonb language sql stable security invoker set search_path = ''
    return identity.keys_state(ask);
create function api.signing_key_add(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return identity.key_add(ask);
create function api.signing_keys_rotate(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return identity.keys_rotate(ask);
create function api.signing_key_revoke(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return identity.key_revoke(ask);

revoke execute on all functions in schema api, identity from public;
grant execute on function identity.jwks(), api.jwks() to anon, authenticated, service_role;
grant execute on function identity.keys_state(jsonb), identity.key_add(jsonb), identity.keys_rotate(jsonb), identity.key_revoke(jsonb),
    api.signing_keys_state(jsonb), api.signing_key_add(jsonb), api.signing_keys_rotate(jsonb), api.signing_key_revoke(jsonb)
    to service_role;
