//! What is inserted, as SQL: straight into the real tables, with every index, constraint, foreign key and trigger in place.
//!
//! What a function would have said is worked out instead: a wallet's balance and the balance after each of its lines. Everyone of a
//! step gets one deposit, then pays and is paid once in each of two rings, and a third of them pays the step's merchant. The four
//! take place one after the other, so how often somebody has paid and been paid before a line is known from his number alone.

/// What a user pays in, and what the provider's notification must name: with the fee.
pub const DEPOSIT: i64 = 1_000_000;
pub const DEPOSIT_FEE: i64 = 5_000;
/// What a transfer moves, and what it costs: 100 basis points.
const AMOUNT: i64 = 1_000;
const FEE: i64 = 10;

/// Names in braces, replaced; every name has to have a value.
pub fn fill(text: &str, values: &[(&str, &dyn std::fmt::Display)]) -> String {
    let money: [(&str, &dyn std::fmt::Display); 4] =
        [("deposit", &DEPOSIT), ("deposit_fee", &DEPOSIT_FEE), ("amount", &AMOUNT), ("fee", &FEE)];
    let mut text = text.to_owned();
    for (name, value) in values.iter().chain(&money) {
        text = text.replace(&format!("{{{name}}}"), &value.to_string());
    }
    text
}

/// Ids are digests, so that neighbours in time are none in an index: as with random ones.
pub const USERS: &str = "
    insert into auth.users (id, email)
    select md5('scale user ' || n)::uuid, 'scale-' || n || '@cauris.test' from generate_series({first}::bigint, {last}) n";

/// `i` counts within the step. Of its rings one pays `{near}` places further on, the other `{far}`.
pub const WALLETS: &str = "
    with made as (
        insert into ledger.accounts (id, kind, currency)
        select md5('scale wallet ' || n)::uuid, 'user_wallet', 'GNF' from generate_series({first}::bigint, {last}) n)
    insert into ledger.wallets (id, user_id, currency, balance)
    select md5('scale wallet ' || n)::uuid, md5('scale user ' || n)::uuid, 'GNF', {deposit} - 2 * {fee}
           + case when n - {from} = {users} - 1 then {payers} * {amount} when n - {from} < {payers} then -{amount} - {fee} else 0 end
      from generate_series({first}::bigint, {last}) n";

/// A payment that was settled, with all that its notification left behind.
pub const DEPOSITS: &str = "
    with moves as materialized (
        select n, md5('scale deposit ' || n)::uuid as tx, md5('scale payment ' || n)::uuid as payment, md5('scale user ' || n)::uuid as owner,
               md5('scale wallet ' || n)::uuid as wallet,
               '{since}'::timestamptz + make_interval(secs => {span} * 0.3 * (n - {from}) / {users}) as at
          from generate_series({first}::bigint, {last}) n
    ), paid as (
        insert into payments.payments (id, user_id, provider, provider_payment_id, purpose, amount_due, credit_amount, fee, currency,
            status, settlement, verified_amount, verified_at, verified_currency, checkout_url, environment, attached_at, next_check_at,
            reconciled_at, idempotency_key, fingerprint, description, created_at)
        select m.payment, m.owner, 'moneroo', 'py_scale_' || m.n, 'wallet_deposit', {deposit} + {deposit_fee}, {deposit}, {deposit_fee},
               'GNF', 'success', 'settled', {deposit} + {deposit_fee}, m.at, 'GNF', 'https://checkout.test/py_scale_' || m.n, 'live', m.at,
               null, m.at, 'scale-' || m.n, decode(md5(m.n::text), 'hex'), 'Wallet top-up', m.at from moves m
    ), known as (
        insert into payments.event_keys (provider, dedupe_key, received_at) select 'moneroo', 'scale-' || m.n, m.at from moves m
    ), told as (
        insert into payments.payment_events (provider, dedupe_key, event, subject, provider_payment_id, body, headers, processed_at,
            outcome, received_at)
        select 'moneroo', 'scale-' || m.n, 'payment.success', 'payment', 'py_scale_' || m.n,
               '{\"event\":\"payment.success\",\"data\":{\"id\":\"py_scale_' || m.n || '\",\"status\":\"success\",\"amount\":1005000}}',
               '{\"content-type\": \"application/json\"}', m.at, 'settled', m.at from moves m
    ), once as (
        insert into ledger.references (reference_type, reference_id, type, transaction_id)
        select 'payment', m.payment::text, 'deposit', m.tx from moves m
    ), booked as (
        insert into ledger.transactions (id, type, receiver_wallet_id, receiver_user_id, amount, fee, currency, reference_type,
            reference_id, created_at)
        select m.tx, 'deposit', m.wallet, m.owner, {deposit}, {deposit_fee}, 'GNF', 'payment', m.payment::text, m.at from moves m)
    insert into ledger.entries (created_at, transaction_id, leg, account_id, user_id, currency, amount, balance_after)
    select m.at, m.tx, l.leg, l.account, l.owner, 'GNF', l.amount, l.after
      from moves m cross join lateral (values
        (1::smallint, '{clearing}'::uuid, null::uuid, -({deposit}::bigint + {deposit_fee}), null::bigint),
        (2, m.wallet, m.owner, {deposit}, {deposit}), (3, '{fees}', null, {deposit_fee}, null)) as l (leg, account, owner, amount, after)";

/// A round of transfers: who pays is `i`, who is paid is worked out before, and what both hold after.
const TRANSFERS: &str = "
    with moves as materialized (
        select md5('scale {round} ' || {from} + r.i)::uuid as tx, md5('scale wallet ' || {from} + r.i)::uuid as giver,
               md5('scale user ' || {from} + r.i)::uuid as giver_user, md5('scale wallet ' || {from} + r.j)::uuid as taker,
               md5('scale user ' || {from} + r.j)::uuid as taker_user, r.giver_after, r.taker_after,
               '{since}'::timestamptz + make_interval(secs => {span} * ({start} + {length} * r.i / {count})) as at
          from ({rounds}) r
    ), met as (
        insert into ledger.known_recipients select m.giver, m.taker from moves m on conflict do nothing
    ), booked as (
        insert into ledger.transactions (id, type, sender_wallet_id, receiver_wallet_id, sender_user_id, receiver_user_id, amount, fee,
            currency, initiator_id, request_id, created_at)
        select m.tx, 'transfer', m.giver, m.taker, m.giver_user, m.taker_user, {amount}, {fee}, 'GNF', m.giver_user, m.tx::text, m.at
          from moves m)
    insert into ledger.entries (created_at, transaction_id, leg, account_id, user_id, currency, amount, balance_after)
    select m.at, m.tx, l.leg, l.account, l.owner, 'GNF', l.amount, l.after
      from moves m cross join lateral (values (1::smallint, m.giver, m.giver_user, -({amount}::bigint + {fee}), m.giver_after),
        (2, m.taker, m.taker_user, {amount}, m.taker_after), (3, '{fees}'::uuid, null, {fee}, null)) as l (leg, account, owner, amount, after)";

/// After `{before}` whole rounds, each of which cost a fee. Who pays in order of his number has been paid already when his payer's
/// number is lower than his own, and the other way round.
const RING: &str = "
    select i, (i + {shift}) % {users} as j,
           {deposit} - ({before} + 1) * {fee} - {amount} + case when i >= {shift} then {amount} else 0 end as giver_after,
           {deposit} - {before} * {fee} + {amount} - case when i + {shift} >= {users} then {amount} + {fee} else 0 end as taker_after
      from generate_series({first}::bigint, {last}) i";

const MERCHANT: &str = "
    select i, {users} - 1 as j, {deposit} - 3 * {fee} - {amount} as giver_after,
           {deposit} - 2 * {fee} + {amount} * (i + 1) as taker_after from generate_series({first}::bigint, {last}) i";

/// Both rings, and the payments to the merchant, as templates.
pub fn transfers(round: usize) -> String {
    let (rounds, start, length, count) = match round {
        0 => (RING.replace("{before}", "0").replace("{shift}", "{near}"), "0.3", "0.3", "{users}"),
        1 => (RING.replace("{before}", "1").replace("{shift}", "{far}"), "0.6", "0.3", "{users}"),
        _ => (MERCHANT.to_owned(), "0.9", "0.1", "{payers}"),
    };
    let parts = [("{rounds}", rounds.as_str()), ("{start}", start), ("{length}", length), ("{count}", count)];
    let text = TRANSFERS.replace("{round}", &format!("transfer {round}"));
    parts.iter().fold(text, |text, (name, value)| text.replace(name, value))
}

/// Every tenth user drives.
pub const DRIVERS: &str = "
    with made as (
        insert into taxi.drivers (id, user_id, is_online, status, kyc_verified, can_work)
        select md5('scale driver ' || n)::uuid, md5('scale user ' || n)::uuid, true, 'available', true, true
          from generate_series({first}::bigint, {last}, 10) n)
    insert into taxi.driver_positions (driver_id, lat, lng)
    select md5('scale driver ' || n)::uuid, 9.9, -11.4 from generate_series({first}::bigint, {last}, 10) n";

const RIDE: &str = "
    insert into taxi.trips (id, customer_id, driver_id, vehicle_type, pickup_lat, pickup_lng, dropoff_lat, dropoff_lng, distance_m,
        duration_s, estimated, surge_pct, base_fare, distance_cost, time_cost, price_total, driver_share, platform_fee,
        driver_share_bps, currency, search_radius_m, status, payment_status, payment_method, requested_at, dispatched_at, accepted_at,
        started_at, completed_at)
    select r.id, r.customer, r.driver, 'moto', 7.5 + 5 * random(), -15 + 7 * random(), 9.9, -11.4, 3000, 432, true, 100, 5000, 6000, 720,
           11720, 9962, 1758, 8500, 'GNF', 5000, r.status, r.payment, 'cash', r.at, r.at, r.at, r.at, r.ended
      from ({rides}) r";

/// One finished ride for each user, and for every tenth driver one that is under way.
pub fn rides() -> String {
    RIDE.replace(
        "{rides}",
        "select md5('scale ride ' || n)::uuid as id, md5('scale user ' || n)::uuid as customer, 'completed' as status, 'paid' as payment,
            md5('scale driver ' || {from} + 10 * ((n - {from}) * 7919 % ({users} / 10)))::uuid as driver, t.at, t.at + interval '9 minutes' as ended
       from generate_series({first}::bigint, {last}) n
      cross join lateral (select '{since}'::timestamptz + make_interval(secs => {span} * (n - {from}) / {users}) as at) t",
    )
}

pub fn rides_under_way() -> String {
    let rides = RIDE.replace(
        "{rides}",
        "select md5('scale active ' || n)::uuid as id, md5('scale user ' || n + 5)::uuid as customer, 'in_progress' as status,
            'pending' as payment, md5('scale driver ' || n)::uuid as driver, now() as at, null::timestamptz as ended
       from generate_series({first}::bigint, {last}, 100) n",
    );
    format!(
        "with busy as (update taxi.drivers set status = 'on_trip' where id in (
            select md5('scale driver ' || n)::uuid from generate_series({{first}}::bigint, {{last}}, 100) n)) {rides}"
    )
}

/// Payments that wait for their notification.
pub const OPEN_PAYMENTS: &str = "
    insert into payments.payments (user_id, provider, provider_payment_id, purpose, amount_due, credit_amount, fee, currency, status,
        environment, attached_at, fingerprint, description)
    select md5('scale user ' || {from} + (n - {from}) % {users})::uuid, 'moneroo', 'py_open_{users}_' || n, 'wallet_deposit', {deposit} + {deposit_fee}, {deposit}, {deposit_fee},
           'GNF', 'pending', 'live', now(), decode(md5(n::text), 'hex'), 'Wallet top-up'
      from generate_series({first}::bigint, {last}) n";

/// As many to the square kilometre at every step: the country that they drive in grows with their number, as when towns are added.
/// One in twenty is in one town, whose circle of 5 km gets fuller with each step.
pub const PLACE_DRIVERS: &str = "
    update taxi.driver_positions p
       set lat = case when t.town then 9.55 + 0.04 * t.far * cos(t.turn) else 9.935 + (t.a - 0.5) * 5.4 * {side} end,
           lng = case when t.town then -13.65 + 0.04 * t.far * sin(t.turn) else -11.38 + (t.b - 0.5) * 7.4 * {side} end,
           usable = true, seen_at = now()
      from (select d.id, hashtext(d.id::text) & 1023 < 51 as town, random() as a, random() as b, sqrt(random()) as far,
                   random() * 6.283 as turn from taxi.drivers d) t
     where t.id = p.driver_id";

/// All drivers have moved a few metres, and been seen.
pub const MOVE_DRIVERS: &str = "
    update taxi.driver_positions set lat = lat + (random() - 0.5) * 0.0002, lng = lng + (random() - 0.5) * 0.0002,
        usable = true, seen_at = now()";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_a_text_gets_its_value() {
        let names =
            ["from", "users", "payers", "near", "far", "clearing", "fees", "since", "span", "side", "first", "last"];
        let values: Vec<(&str, &dyn std::fmt::Display)> =
            names.iter().map(|name| (*name, &7 as &dyn std::fmt::Display)).collect();
        let mut texts: Vec<String> = (0..3).map(transfers).chain([rides(), rides_under_way()]).collect();
        texts.extend([USERS, WALLETS, DEPOSITS, DRIVERS, OPEN_PAYMENTS, PLACE_DRIVERS].map(String::from));
        for text in texts.iter().map(|text| fill(text, &values)) {
            let left =
                text.match_indices('{').any(|(at, _)| text[at + 1..].starts_with(|c: char| c.is_ascii_lowercase()));
            assert!(!left, "{text}");
        }
    }

    #[test]
    fn fees_are_what_the_rules_say() {
        assert_eq!(FEE, AMOUNT / 100, "100 basis points");
        assert_eq!(DEPOSIT_FEE, DEPOSIT / 200, "50 basis points");
    }
}
