// Written by `cargo xtask gen` from the Rust types of the wire (functions/*/src/wire.rs): change those.

/** What of a supabase-js client is used: any version that has `functions.invoke`. */
export interface Supabase {
  readonly functions: {
    invoke(name: string, options?: any): Promise<{ data: any; error: any; response?: Response }>;
  };
}

/** The functions of Cauris as typed methods of a supabase-js client: its session, its URL, its keys. */
export function createCauris(supabase: Supabase): Cauris;

export interface Options {
  /** One per intention: the same call again with the same key gets the first answer, and moves nothing. */
  idempotencyKey?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Milliseconds. */
  timeout?: number;
}

/** A refusal. Decide by `code`; `message` is for people, and may change. */
export class CaurisError<Code extends string = string, Status extends number = number> extends Error {
  readonly name: 'CaurisError';
  readonly code: Code;
  /** Of HTTP. */
  readonly status: Status;
  /** `VALIDATION_ERROR`: `[{field, message}]`. Others say theirs in the documentation; else null. */
  readonly details: unknown;
  /** What to do instead. */
  readonly hint: string | null;
  /** Names the request in the server's logs. */
  readonly requestId: string | null;
  /** Seconds to wait before the same request. */
  readonly retryAfter: number | null;
}

/** Nothing was answered, or not by us; `status` is 0 when nothing was. Whether the request was carried out is not known: send it again with the same key. */
export type NoAnswer = CaurisError<'NO_ANSWER', number>;

export type Result<Data, Refusal> =
  | { data: Data; error: null; response: Response | null }
  | { data: null; error: Refusal; response: Response | null };

export type Reply<Data, Refusal> = Promise<Result<Data, Refusal>>;

export interface Cauris {
  /** `auth-tokens`: Register, log in, refresh, log out: the contract of `auth-tokens`, under whose name frontends call this. What supabase-js speaks under `/auth/v1` is GoTrue's protocol, and described by its own documents. */
  authTokens<A extends keyof AuthTokensAsks>(ask: { action: A } & AuthTokensAsks[A], options?: Options): Reply<AuthTokensAnswers[A], AuthTokensRefusal>;
  /** `fraud-detection`: Scores a money movement from 0 to 100: what the guard of an outgoing operation would say now. A user asks about himself, and the answer is advice; with the internal key anybody may be asked about. Nobody else is answered. */
  fraudDetection(ask: FraudDetectionAsk, options?: Options): Reply<FraudDetectionAdvice, FraudDetectionRefusal>;
  /** `health`: Whether the service can do its work: to anybody one word, to operators each part that it depends on. Never a version of a dependency, a host or a cause: the log has those. */
  health(ask?: HealthAsk, options?: Options): Reply<HealthReport, HealthRefusal>;
  /** `moneroo-get-payment-methods`: How one can pay, per currency and country: Moneroo's list, of the currencies that are switched on. Remembered for an hour, and for a day while Moneroo is down. */
  monerooGetPaymentMethods(ask?: MonerooGetPaymentMethodsAsk, options?: Options): Reply<MonerooGetPaymentMethodsReceipt, MonerooGetPaymentMethodsRefusal>;
  /** `moneroo-initialize-payment`: Creates a hosted checkout for a priced purpose: a page to send the payer to, or a question on his phone, through any of our providers. The purpose decides the price, not the client. An open payment of the same purpose, price and provider, younger than 30 minutes, is returned again with 200, as is the payment of the same key. */
  monerooInitializePayment(ask: MonerooInitializePaymentForm, options?: Options): Reply<MonerooInitializePaymentReceipt, MonerooInitializePaymentRefusal>;
  /** `moneroo-verify-payment`: Asks the provider about the caller's own payment, whichever the provider, at most once in 5 seconds, and settles it. Call it when the payer comes back to your page: that page is no proof of anything. */
  monerooVerifyPayment(ask: MonerooVerifyPaymentForm, options?: Options): Reply<MonerooVerifyPaymentReceipt, MonerooVerifyPaymentRefusal>;
  /** `payment-refund`: Gives back a settled payment, whole or in part: for the roles `admin` and `pdg`, never about one's own payment. A key is required. Refunds, also pending ones, and chargebacks share one cap: what was captured. */
  paymentRefund(ask: PaymentRefundAsk, options?: Options): Reply<PaymentRefundReceipt, PaymentRefundRefusal>;
  /** `taxi-accept-ride`: A driver takes a ride; of any number who ask, one wins. The winner asking again gets the same answer. */
  taxiAcceptRide(ask: TaxiAcceptRideAsk, options?: Options): Reply<TaxiAcceptRideReceipt, TaxiAcceptRideRefusal>;
  /** `taxi-driver-heartbeat`: Where a driver is, and whether he is online; a few times a minute. After 60 s of silence he gets no offers, after 5 minutes he is offline. */
  taxiDriverHeartbeat(ask: TaxiDriverHeartbeatAsk, options?: Options): Reply<TaxiDriverHeartbeatReceipt, TaxiDriverHeartbeatRefusal>;
  /** `taxi-payment`: Pays a ride once; also `taxi-payment-process`, which says `tripId` for `rideId`. Amount, payer and shares come from the ride. By the customer or an admin, from `accepted` on; cash is confirmed by the driver. */
  taxiPayment(ask: TaxiPaymentAsk, options?: Options): Reply<TaxiPaymentReceipt, TaxiPaymentRefusal>;
  /** `taxi-quote-fare`: What a ride costs, and for how long we stand by it. Two points make a binding quote for this caller and route; the legacy numbers only an estimate. No price is ever read. */
  taxiQuoteFare(ask: TaxiQuoteFareForm, options?: Options): Reply<TaxiQuoteFareReceipt, TaxiQuoteFareRefusal>;
  /** `taxi-refuse-ride`: A driver lets an offer go; the search widens, and the next five drivers are told. A repeat changes nothing. */
  taxiRefuseRide(ask: TaxiRefuseRideAsk, options?: Options): Reply<TaxiRefuseRideReceipt, TaxiRefuseRideRefusal>;
  /** `taxi-request-ride`: Orders a ride; the ten nearest free drivers are told, and with none it waits all the same. Both ends are at least 100 m apart. Legacy clients also send a price, a distance and a duration: unknown here, so they go no further. */
  taxiRequestRide(ask: TaxiRequestRideAsk, options?: Options): Reply<TaxiRequestRideReceipt, TaxiRequestRideRefusal>;
  /** `taxi-update-ride-status`: Moves a ride one step, with the driver, the notices and the money. The same step by the same person again changes nothing. */
  taxiUpdateRideStatus(ask: TaxiUpdateRideStatusAsk, options?: Options): Reply<TaxiUpdateRideStatusReceipt, TaxiUpdateRideStatusRefusal>;
  /** `wallet-admin`: Block, unblock, close, limits, payouts that need a person, money in suspense, figures: for the roles `admin` and `pdg`, read in the transaction of the work. Each call is kept with its reason. No action sets a balance. The action may also stand behind the name: `wallet-admin/stats`. */
  walletAdmin<A extends keyof WalletAdminAsks>(ask: { action: A } & WalletAdminAsks[A], options?: Options): Reply<WalletAdminAnswers[A], WalletAdminRefusal>;
  /** `wallet-operations`: Preview, deposit, withdraw, transfer. The fee comes on top of the amount. With a key, the same request again gives the first answer and moves nothing; without one, an identical transfer or withdrawal within a minute is refused. The operation may also stand in `action`, or behind the name: `wallet-operations/preview`. */
  walletOperations<A extends keyof WalletOperationsAsks>(ask: { operation: A } & WalletOperationsAsks[A], options?: Options): Reply<WalletOperationsAnswers[A], WalletOperationsRefusal>;
}

export interface AuthTokensAsks {
  login: {
    email: string;
    password: string;
  };
  logout: {
    refresh_token: string;
  };
  refresh: {
    /** Works once; afterwards there is a new one. */
    refresh_token: string;
  };
  register: {
    display_name?: string | null;
    email: string;
    /** With a letter and a digit; 72 bytes at most. */
    password: string;
  };
}

export interface AuthTokensAnswers {
  login: AuthSessionSignedIn;
  logout: AuthSessionSignedOut;
  refresh: AuthSessionRenewed;
  register: AuthSessionSignedIn;
}

export type AuthTokensRefusal =
  | CaurisError<'ACCOUNT_DISABLED', 403>
  | CaurisError<'BAD_JSON', 400>
  | CaurisError<'DEPENDENCY_UNAVAILABLE', 503 | 504>
  | CaurisError<'EMAIL_EXISTS', 409>
  | CaurisError<'EMAIL_NOT_CONFIRMED', 403>
  | CaurisError<'FORBIDDEN', 403>
  | CaurisError<'IDENTITY_MISMATCH', 403>
  | CaurisError<'INTERNAL', 500>
  | CaurisError<'INVALID_CREDENTIALS', 401>
  | CaurisError<'METHOD_NOT_ALLOWED', 405>
  | CaurisError<'NOT_CONFIGURED', 503>
  | CaurisError<'NOT_FOUND', 404>
  | CaurisError<'OVERLOADED', 503>
  | CaurisError<'PAYLOAD_TOO_LARGE', 413>
  | CaurisError<'RATE_LIMITED', 429>
  | CaurisError<'UNSUPPORTED_MEDIA_TYPE', 415>
  | CaurisError<'VALIDATION_ERROR', 400>
  | NoAnswer;

export type FraudDetectionRefusal =
  | CaurisError<'BAD_JSON', 400>
  | CaurisError<'DEPENDENCY_UNAVAILABLE', 503 | 504>
  | CaurisError<'FORBIDDEN', 403>
  | CaurisError<'IDENTITY_MISMATCH', 403>
  | CaurisError<'INTERNAL', 500>
  | CaurisError<'METHOD_NOT_ALLOWED', 405>
  | CaurisError<'NOT_CONFIGURED', 503>
  | CaurisError<'NOT_FOUND', 404>
  | CaurisError<'OVERLOADED', 503>
  | CaurisError<'PAYLOAD_TOO_LARGE', 413>
  | CaurisError<'RATE_LIMITED', 429>
  | CaurisError<'UNAUTHENTICATED', 401>
  | CaurisError<'UNSUPPORTED_MEDIA_TYPE', 415>
  | CaurisError<'VALIDATION_ERROR', 400>
  | NoAnswer;

export type HealthRefusal =
  | CaurisError<'BAD_JSON', 400>
  | CaurisError<'DEPENDENCY_UNAVAILABLE', 503 | 504>
  | CaurisError<'FORBIDDEN', 403>
  | CaurisError<'IDENTITY_MISMATCH', 403>
  | CaurisError<'INTERNAL', 500>
  | CaurisError<'METHOD_NOT_ALLOWED', 405>
  | CaurisError<'NOT_CONFIGURED', 503>
  | CaurisError<'NOT_FOUND', 404>
  | CaurisError<'OVERLOADED', 503>
  | CaurisError<'PAYLOAD_TOO_LARGE', 413>
  | CaurisError<'RATE_LIMITED', 429>
  | CaurisError<'UNAUTHENTICATED', 401>
  | CaurisError<'UNSUPPORTED_MEDIA_TYPE', 415>
  | CaurisError<'VALIDATION_ERROR', 400>
  | NoAnswer;

export type MonerooGetPaymentMethodsRefusal =
  | CaurisError<'BAD_JSON', 400>
  | CaurisError<'DEPENDENCY_UNAVAILABLE', 503 | 504>
  | CaurisError<'FORBIDDEN', 403>
  | CaurisError<'IDENTITY_MISMATCH', 403>
  | CaurisError<'INTERNAL', 500>
  | CaurisError<'METHOD_NOT_ALLOWED', 405>
  | CaurisError<'NOT_CONFIGURED', 503>
  | CaurisError<'NOT_FOUND', 404>
  | CaurisError<'OVERLOADED', 503>
  | CaurisError<'PAYLOAD_TOO_LARGE', 413>
  | CaurisError<'RATE_LIMITED', 429>
  | CaurisError<'UNAUTHENTICATED', 401>
  | CaurisError<'UNSUPPORTED_MEDIA_TYPE', 415>
  | CaurisError<'VALIDATION_ERROR', 400>
  | NoAnswer;

export type MonerooInitializePaymentRefusal =
  | CaurisError<'ALREADY_PAID', 409>
  | CaurisError<'AMOUNT_MISMATCH', 409>
  | CaurisError<'AMOUNT_NOT_SUPPORTED', 400>
  | CaurisError<'AMOUNT_OUT_OF_RANGE', 400>
  | CaurisError<'BAD_JSON', 400>
  | CaurisError<'CARD_DATA_REFUSED', 400>
  | CaurisError<'CURRENCY_MISMATCH', 409>
  | CaurisError<'DEPENDENCY_UNAVAILABLE', 503 | 504>
  | CaurisError<'FORBIDDEN', 403>
  | CaurisError<'IDEMPOTENCY_IN_PROGRESS', 409>
  | CaurisError<'IDEMPOTENCY_MISMATCH', 422>
  | CaurisError<'IDENTITY_MISMATCH', 403>
  | CaurisError<'INTERNAL', 500>
  | CaurisError<'METHOD_NOT_ALLOWED', 405>
  | CaurisError<'NOT_CONFIGURED', 503>
  | CaurisError<'NOT_FOUND', 404>
  | CaurisError<'NOT_PAYABLE', 409>
  | CaurisError<'OVERLOADED', 503>
  | CaurisError<'PAYLOAD_TOO_LARGE', 413>
  | CaurisError<'PROVIDER_ERROR', 502>
  | CaurisError<'PROVIDER_TIMEOUT', 504>
  | CaurisError<'PURPOSE_REQUIRED', 400>
  | CaurisError<'RATE_LIMITED', 429>
  | CaurisError<'RIDE_NOT_PAYABLE', 409>
  | CaurisError<'UNAUTHENTICATED', 401>
  | CaurisError<'UNSUPPORTED_MEDIA_TYPE', 415>
  | CaurisError<'VALIDATION_ERROR', 400>
  | CaurisError<'WALLET_BLOCKED', 403 | 409>
  | NoAnswer;

export type MonerooVerifyPaymentRefusal =
  | CaurisError<'BAD_JSON', 400>
  | CaurisError<'DEPENDENCY_UNAVAILABLE', 503 | 504>
  | CaurisError<'FORBIDDEN', 403>
  | CaurisError<'IDENTITY_MISMATCH', 403>
  | CaurisError<'INTERNAL', 500>
  | CaurisError<'METHOD_NOT_ALLOWED', 405>
  | CaurisError<'NOT_CONFIGURED', 503>
  | CaurisError<'NOT_FOUND', 404>
  | CaurisError<'OVERLOADED', 503>
  | CaurisError<'PAYLOAD_TOO_LARGE', 413>
  | CaurisError<'RATE_LIMITED', 429>
  | CaurisError<'UNAUTHENTICATED', 401>
  | CaurisError<'UNSUPPORTED_MEDIA_TYPE', 415>
  | CaurisError<'VALIDATION_ERROR', 400>
  | NoAnswer;

export type PaymentRefundRefusal =
  | CaurisError<'AMOUNT_NOT_SUPPORTED', 400>
  | CaurisError<'AMOUNT_OUT_OF_RANGE', 400>
  | CaurisError<'BAD_JSON', 400>
  | CaurisError<'DEPENDENCY_UNAVAILABLE', 503 | 504>
  | CaurisError<'FORBIDDEN', 403>
  | CaurisError<'IDEMPOTENCY_IN_PROGRESS', 409>
  | CaurisError<'IDEMPOTENCY_MISMATCH', 422>
  | CaurisError<'IDENTITY_MISMATCH', 403>
  | CaurisError<'INSUFFICIENT_FUNDS', 409>
  | CaurisError<'INTERNAL', 500>
  | CaurisError<'IN_DISPUTE', 409>
  | CaurisError<'METHOD_NOT_ALLOWED', 405>
  | CaurisError<'NOT_CONFIGURED', 503>
  | CaurisError<'NOT_FOUND', 404>
  | CaurisError<'NOT_REFUNDABLE', 409>
  | CaurisError<'OVERLOADED', 503>
  | CaurisError<'PAYLOAD_TOO_LARGE', 413>
  | CaurisError<'RATE_LIMITED', 429>
  | CaurisError<'REFUND_EXCEEDS_CAPTURED', 409>
  | CaurisError<'UNAUTHENTICATED', 401>
  | CaurisError<'UNSUPPORTED_MEDIA_TYPE', 415>
  | CaurisError<'VALIDATION_ERROR', 400>
  | NoAnswer;

export type TaxiAcceptRideRefusal =
  | CaurisError<'ALREADY_ASSIGNED', 409>
  | CaurisError<'BAD_JSON', 400>
  | CaurisError<'DEPENDENCY_UNAVAILABLE', 503 | 504>
  | CaurisError<'DRIVER_DECLINED', 409>
  | CaurisError<'DRIVER_NOT_AVAILABLE', 409>
  | CaurisError<'DRIVER_TOO_FAR', 409>
  | CaurisError<'FORBIDDEN', 403>
  | CaurisError<'IDENTITY_MISMATCH', 403>
  | CaurisError<'INTERNAL', 500>
  | CaurisError<'LOCKED', 409>
  | CaurisError<'METHOD_NOT_ALLOWED', 405>
  | CaurisError<'NOT_CONFIGURED', 503>
  | CaurisError<'NOT_FOUND', 404>
  | CaurisError<'OVERLOADED', 503>
  | CaurisError<'PAYLOAD_TOO_LARGE', 413>
  | CaurisError<'RATE_LIMITED', 429>
  | CaurisError<'UNAUTHENTICATED', 401>
  | CaurisError<'UNSUPPORTED_MEDIA_TYPE', 415>
  | CaurisError<'VALIDATION_ERROR', 400>
  | NoAnswer;

export type TaxiDriverHeartbeatRefusal =
  | CaurisError<'ACTIVE_RIDE_EXISTS', 409>
  | CaurisError<'BAD_JSON', 400>
  | CaurisError<'DEPENDENCY_UNAVAILABLE', 503 | 504>
  | CaurisError<'FORBIDDEN', 403>
  | CaurisError<'IDENTITY_MISMATCH', 403>
  | CaurisError<'INTERNAL', 500>
  | CaurisError<'METHOD_NOT_ALLOWED', 405>
  | CaurisError<'NOT_CONFIGURED', 503>
  | CaurisError<'NOT_FOUND', 404>
  | CaurisError<'OVERLOADED', 503>
  | CaurisError<'PAYLOAD_TOO_LARGE', 413>
  | CaurisError<'RATE_LIMITED', 429>
  | CaurisError<'UNAUTHENTICATED', 401>
  | CaurisError<'UNSUPPORTED_MEDIA_TYPE', 415>
  | CaurisError<'VALIDATION_ERROR', 400>
  | NoAnswer;

export type TaxiPaymentRefusal =
  | CaurisError<'ALREADY_PAID', 409>
  | CaurisError<'AMOUNT_NOT_SUPPORTED', 400>
  | CaurisError<'AMOUNT_OUT_OF_RANGE', 400>
  | CaurisError<'BAD_JSON', 400>
  | CaurisError<'DEPENDENCY_UNAVAILABLE', 503 | 504>
  | CaurisError<'FORBIDDEN', 403>
  | CaurisError<'FRAUD_BLOCKED', 403>
  | CaurisError<'IDEMPOTENCY_IN_PROGRESS', 409>
  | CaurisError<'IDEMPOTENCY_MISMATCH', 422>
  | CaurisError<'IDENTITY_MISMATCH', 403>
  | CaurisError<'INSUFFICIENT_FUNDS', 409>
  | CaurisError<'INTERNAL', 500>
  | CaurisError<'METHOD_NOT_ALLOWED', 405>
  | CaurisError<'MFA_REQUIRED', 403>
  | CaurisError<'NOT_CASH', 409>
  | CaurisError<'NOT_CONFIGURED', 503>
  | CaurisError<'NOT_FOUND', 404>
  | CaurisError<'NOT_PAYABLE', 409>
  | CaurisError<'OVERLOADED', 503>
  | CaurisError<'PAYLOAD_TOO_LARGE', 413>
  | CaurisError<'PAYMENT_IN_PROGRESS', 409>
  | CaurisError<'PROVIDER_ERROR', 502>
  | CaurisError<'PROVIDER_TIMEOUT', 504>
  | CaurisError<'RATE_LIMITED', 429>
  | CaurisError<'RIDE_NOT_PAYABLE', 409>
  | CaurisError<'UNAUTHENTICATED', 401>
  | CaurisError<'UNSUPPORTED_MEDIA_TYPE', 415>
  | CaurisError<'VALIDATION_ERROR', 400>
  | CaurisError<'WALLET_BLOCKED', 403 | 409>
  | NoAnswer;

export type TaxiQuoteFareRefusal =
  | CaurisError<'BAD_JSON', 400>
  | CaurisError<'DEPENDENCY_UNAVAILABLE', 503 | 504>
  | CaurisError<'FORBIDDEN', 403>
  | CaurisError<'IDENTITY_MISMATCH', 403>
  | CaurisError<'INTERNAL', 500>
  | CaurisError<'METHOD_NOT_ALLOWED', 405>
  | CaurisError<'NOT_CONFIGURED', 503>
  | CaurisError<'NOT_FOUND', 404>
  | CaurisError<'OUT_OF_AREA', 400>
  | CaurisError<'OVERLOADED', 503>
  | CaurisError<'PAYLOAD_TOO_LARGE', 413>
  | CaurisError<'RATE_LIMITED', 429>
  | CaurisError<'UNAUTHENTICATED', 401>
  | CaurisError<'UNSUPPORTED_MEDIA_TYPE', 415>
  | CaurisError<'VALIDATION_ERROR', 400>
  | NoAnswer;

export type TaxiRefuseRideRefusal =
  | CaurisError<'BAD_JSON', 400>
  | CaurisError<'DEPENDENCY_UNAVAILABLE', 503 | 504>
  | CaurisError<'FORBIDDEN', 403>
  | CaurisError<'IDENTITY_MISMATCH', 403>
  | CaurisError<'INTERNAL', 500>
  | CaurisError<'METHOD_NOT_ALLOWED', 405>
  | CaurisError<'NOT_CONFIGURED', 503>
  | CaurisError<'NOT_FOUND', 404>
  | CaurisError<'OVERLOADED', 503>
  | CaurisError<'PAYLOAD_TOO_LARGE', 413>
  | CaurisError<'RATE_LIMITED', 429>
  | CaurisError<'RIDE_NOT_OPEN', 409>
  | CaurisError<'UNAUTHENTICATED', 401>
  | CaurisError<'UNSUPPORTED_MEDIA_TYPE', 415>
  | CaurisError<'VALIDATION_ERROR', 400>
  | NoAnswer;

export type TaxiRequestRideRefusal =
  | CaurisError<'ACTIVE_RIDE_EXISTS', 409>
  | CaurisError<'BAD_JSON', 400>
  | CaurisError<'DEPENDENCY_UNAVAILABLE', 503 | 504>
  | CaurisError<'FORBIDDEN', 403>
  | CaurisError<'IDEMPOTENCY_IN_PROGRESS', 409>
  | CaurisError<'IDEMPOTENCY_MISMATCH', 422>
  | CaurisError<'IDENTITY_MISMATCH', 403>
  | CaurisError<'INTERNAL', 500>
  | CaurisError<'METHOD_NOT_ALLOWED', 405>
  | CaurisError<'NOT_CONFIGURED', 503>
  | CaurisError<'NOT_FOUND', 404>
  | CaurisError<'OUT_OF_AREA', 400>
  | CaurisError<'OVERLOADED', 503>
  | CaurisError<'PAYLOAD_TOO_LARGE', 413>
  | CaurisError<'QUOTE_EXPIRED', 409>
  | CaurisError<'RATE_LIMITED', 429>
  | CaurisError<'UNAUTHENTICATED', 401>
  | CaurisError<'UNSUPPORTED_MEDIA_TYPE', 415>
  | CaurisError<'VALIDATION_ERROR', 400>
  | NoAnswer;

export type TaxiUpdateRideStatusRefusal =
  | CaurisError<'BAD_JSON', 400>
  | CaurisError<'DEPENDENCY_UNAVAILABLE', 503 | 504>
  | CaurisError<'FORBIDDEN', 403>
  | CaurisError<'IDENTITY_MISMATCH', 403>
  | CaurisError<'INTERNAL', 500>
  | CaurisError<'INVALID_TRANSITION', 409>
  | CaurisError<'METHOD_NOT_ALLOWED', 405>
  | CaurisError<'NOT_CONFIGURED', 503>
  | CaurisError<'NOT_FOUND', 404>
  | CaurisError<'OVERLOADED', 503>
  | CaurisError<'PAYLOAD_TOO_LARGE', 413>
  | CaurisError<'RATE_LIMITED', 429>
  | CaurisError<'UNAUTHENTICATED', 401>
  | CaurisError<'UNSUPPORTED_MEDIA_TYPE', 415>
  | CaurisError<'VALIDATION_ERROR', 400>
  | NoAnswer;

export interface WalletAdminAsks {
  block: {
    currency?: Currency | null;
    idempotency_key?: string | null;
    /** 3 to 500 characters; kept. */
    reason: string;
    user_id?: string | null;
    wallet_id?: string | null;
  };
  close: {
    currency?: Currency | null;
    idempotency_key?: string | null;
    /** 3 to 500 characters; kept. */
    reason: string;
    user_id?: string | null;
    wallet_id?: string | null;
  };
  release_suspense: {
    entry_id: string;
    idempotency_key?: string | null;
    reason: string;
    refund?: boolean | null;
    to_user_id?: string | null;
  };
  set_limits: {
    currency?: Currency | null;
    daily_limit: Units;
    idempotency_key?: string | null;
    monthly_limit: Units;
    reason: string;
    user_id?: string | null;
    wallet_id?: string | null;
  };
  settle_payout: {
    idempotency_key?: string | null;
    payout_id: string;
    provider_reference?: string | null;
    reason: string;
    result: WalletAdminOutcome;
  };
  stats: {
    currency?: Currency | null;
    /** A day or an RFC 3339 time; 30 days before `to` when left out. */
    from?: string | null;
    /** A day (included) or an RFC 3339 time; now when left out. */
    to?: string | null;
  };
  unblock: {
    currency?: Currency | null;
    idempotency_key?: string | null;
    /** 3 to 500 characters; kept. */
    reason: string;
    user_id?: string | null;
    wallet_id?: string | null;
  };
}

export interface WalletAdminAnswers {
  block: WalletAdminWalletReceipt;
  close: WalletAdminWalletReceipt;
  release_suspense: WalletAdminReleaseReceipt;
  set_limits: WalletAdminWalletReceipt;
  settle_payout: WalletAdminPayoutReceipt;
  stats: WalletAdminStats;
  unblock: WalletAdminWalletReceipt;
}

export type WalletAdminRefusal =
  | CaurisError<'BAD_JSON', 400>
  | CaurisError<'DEPENDENCY_UNAVAILABLE', 503 | 504>
  | CaurisError<'FORBIDDEN', 403>
  | CaurisError<'IDEMPOTENCY_IN_PROGRESS', 409>
  | CaurisError<'IDEMPOTENCY_MISMATCH', 422>
  | CaurisError<'IDENTITY_MISMATCH', 403>
  | CaurisError<'INSUFFICIENT_FUNDS', 409>
  | CaurisError<'INTERNAL', 500>
  | CaurisError<'INVALID_STATE', 409>
  | CaurisError<'METHOD_NOT_ALLOWED', 405>
  | CaurisError<'NOT_CONFIGURED', 503>
  | CaurisError<'NOT_FOUND', 404>
  | CaurisError<'OVERLOADED', 503>
  | CaurisError<'PAYLOAD_TOO_LARGE', 413>
  | CaurisError<'RATE_LIMITED', 429>
  | CaurisError<'RECIPIENT_UNAVAILABLE', 409>
  | CaurisError<'UNAUTHENTICATED', 401>
  | CaurisError<'UNSUPPORTED_MEDIA_TYPE', 415>
  | CaurisError<'VALIDATION_ERROR', 400>
  | CaurisError<'WALLET_BLOCKED', 403 | 409>
  | NoAnswer;

export interface WalletOperationsAsks {
  deposit: {
    amount: Amount;
    currency?: Currency | null;
    customer?: Customer | null;
    description?: string | null;
    idempotency_key?: string | null;
    return_url?: string | null;
  } | {
    payment_id: string;
  };
  preview: {
    amount: Amount;
    currency?: Currency | null;
    for?: WalletOperationsOperation | null;
    recipient_id?: string | null;
  };
  transfer: {
    amount: Amount;
    /** Without a key, the same again within a minute is meant. */
    confirm_duplicate?: boolean;
    currency?: Currency | null;
    description?: string | null;
    idempotency_key?: string | null;
    recipient_id: string;
  };
  withdraw: {
    amount: Amount;
    /** Without a key, the same again within a minute is meant. */
    confirm_duplicate?: boolean;
    currency?: Currency | null;
    description?: string | null;
    idempotency_key?: string | null;
    method: string;
    phone: string;
  };
}

export interface WalletOperationsAnswers {
  deposit: WalletOperationsDepositReceipt | WalletOperationsClaimReceipt;
  preview: WalletOperationsPreviewReceipt;
  transfer: WalletOperationsTransferReceipt;
  withdraw: WalletOperationsWithdrawalReceipt;
}

export type WalletOperationsRefusal =
  | CaurisError<'AMOUNT_NOT_SUPPORTED', 400>
  | CaurisError<'AMOUNT_OUT_OF_RANGE', 400>
  | CaurisError<'BAD_JSON', 400>
  | CaurisError<'DEPENDENCY_UNAVAILABLE', 503 | 504>
  | CaurisError<'DUPLICATE_SUSPECTED', 409>
  | CaurisError<'FORBIDDEN', 403>
  | CaurisError<'FRAUD_BLOCKED', 403>
  | CaurisError<'IDEMPOTENCY_IN_PROGRESS', 409>
  | CaurisError<'IDEMPOTENCY_MISMATCH', 422>
  | CaurisError<'IDENTITY_MISMATCH', 403>
  | CaurisError<'INSUFFICIENT_FUNDS', 409>
  | CaurisError<'INTERNAL', 500>
  | CaurisError<'LIMIT_EXCEEDED', 403>
  | CaurisError<'METHOD_NOT_ALLOWED', 405>
  | CaurisError<'METHOD_NOT_AVAILABLE', 409>
  | CaurisError<'MFA_REQUIRED', 403>
  | CaurisError<'NOT_CONFIGURED', 503>
  | CaurisError<'NOT_FOUND', 404>
  | CaurisError<'OVERLOADED', 503>
  | CaurisError<'PAYLOAD_TOO_LARGE', 413>
  | CaurisError<'PROVIDER_ERROR', 502>
  | CaurisError<'PROVIDER_TIMEOUT', 504>
  | CaurisError<'RATE_LIMITED', 429>
  | CaurisError<'RECIPIENT_NOT_FOUND', 404>
  | CaurisError<'RECIPIENT_REQUIRED', 400>
  | CaurisError<'RECIPIENT_UNAVAILABLE', 409>
  | CaurisError<'SELF_TRANSFER', 409>
  | CaurisError<'UNAUTHENTICATED', 401>
  | CaurisError<'UNSUPPORTED_MEDIA_TYPE', 415>
  | CaurisError<'VALIDATION_ERROR', 400>
  | CaurisError<'WALLET_BLOCKED', 403 | 409>
  | NoAnswer;

/** A positive amount in the currency's minor unit: 5000 is 5,000 GNF, or 50.00 USD. */
export type Amount = number;

/** What each action needs. */
export type AuthSessionForm = {
  action: "register";
  display_name?: string | null;
  email: string;
  /** With a letter and a digit; 72 bytes at most. */
  password: string;
} | {
  action: "login";
  email: string;
  password: string;
} | {
  action: "refresh";
  /** Works once; afterwards there is a new one. */
  refresh_token: string;
} | {
  action: "logout";
  refresh_token: string;
};

export interface AuthSessionPerson {
  display_name: string | null;
  email: string;
  id: string;
}

export interface AuthSessionRenewed {
  access_token: string;
  refresh_token: string;
}

export interface AuthSessionSignedIn {
  /** Absent until the address is confirmed by the mailed link. */
  access_token?: string;
  refresh_token?: string;
  user: AuthSessionPerson;
}

export interface AuthSessionSignedOut {
  success: true;
}

/** An ISO 4217 code in upper case, such as GNF. `GNF` where a request names none. */
export type Currency = string;

/** Who pays. What is missing is taken from his profile; without either it is 400 `VALIDATION_ERROR`. */
export interface Customer {
  email?: string | null;
  first_name?: string | null;
  last_name?: string | null;
  phone?: string | null;
}

/** What a ride costs. The three cost lines inform; `total` is rounded once, and decides. Minor units of `currency`. */
export interface Fare {
  base_fare: Units;
  /** Whether we stand by it. */
  binding: boolean;
  currency: Currency;
  distance_cost: Units;
  /** Metres. */
  distance_m: number;
  driver_share: Units;
  /** Seconds. */
  duration_s: number;
  /** The route is the great circle times 1.3, at 25 km/h. */
  estimated: boolean;
  expires_at?: Timestamp;
  platform_fee: Units;
  quote_id?: string;
  /** 1.5 is one and a half times the price. */
  surge_multiplier: number;
  time_cost: Units;
  total: Units;
}

/** Bare, as it always was. */
export interface FraudDetectionAdvice {
  flags: Array<FraudDetectionFlag>;
  /** Sentences for a person. */
  recommendations: Array<string>;
  requiresMFA: boolean;
  riskLevel: FraudDetectionLevel;
  /** 0 to 100. */
  score: number;
}

export interface FraudDetectionAsk {
  /** At most 1,000,000,000. */
  amount: Amount;
  /** Only `currency` counts; the rest is the caller's own note. At most 2 KiB. */
  metadata?: Record<string, unknown> | null;
  /** 1 to 50 characters. */
  method: string;
  recipientId: string;
  /** At most 2 KiB. */
  transactionId?: string | null;
  /** Required with the internal key; with a token it must be the caller. */
  userId?: string | null;
}

export type FraudDetectionFlag = "high_amount" | "elevated_amount" | "high_frequency" | "elevated_frequency" | "high_volume" | "new_recipient" | "failed_logins" | "balance_drain";

export type FraudDetectionLevel = "low" | "medium" | "high" | "critical";

export interface HealthAsk {
  /** `1` or `true`, also as text in a query; for the internal key and administrators. `health/detailed` means the same. */
  detailed?: unknown;
}

export interface HealthDependencies {
  /** The public keys of access tokens. */
  auth_keys: HealthState;
  database: HealthState;
  limiter: HealthState;
  /** `not_configured` until a letter has been sent. */
  mail: HealthState;
  payment_provider: HealthState;
  /** What is sent later: mail, messages, jobs. */
  queue: HealthState;
  storage: HealthState;
}

export interface HealthReport {
  /** A part that is not essential is down: wallets and rides still work. */
  degraded?: boolean;
  dependencies?: HealthDependencies;
  /** `down`, with 503, when the database does not answer. */
  status: HealthWord;
  success: boolean;
  timestamp: Timestamp;
  /** Of this service. */
  version: string;
}

export interface HealthState {
  latency_ms: number;
  status: HealthWord;
}

/** How a part that we depend on does. */
export type HealthWord = "ok" | "down" | "not_configured";

export interface MonerooGetPaymentMethodsAsk {
  /** Two letters, ISO 3166; `GN`, and every country of the currency, when left out. */
  country?: string | null;
  currency?: Currency | null;
}

export interface MonerooGetPaymentMethodsMethod {
  code: string;
  countries: Array<string>;
  currency: Currency;
  icon_url?: string;
  name: string;
}

export interface MonerooGetPaymentMethodsReceipt {
  all_methods: Array<MonerooGetPaymentMethodsMethod>;
  /** Those of the currency, and of the country when one was named. */
  methods: Array<MonerooGetPaymentMethodsMethod>;
  success: true;
}

export type MonerooInitializePaymentForm = {
  amount: Amount;
  currency?: Currency | null;
  customer?: Customer;
  /** 1 to 500 characters. */
  description?: string | null;
  /** 8 to 255 visible ASCII characters; or the `Idempotency-Key` header. */
  idempotency_key?: string | null;
  /** At most 10 texts of 200 characters, for your own use: nothing is decided by them. */
  metadata?: Record<string, unknown>;
  /** At most 10 codes of moneroo-get-payment-methods, to narrow the choice. */
  methods?: Array<string>;
  /** Whom a request to a phone asks: an international number, `+` or not. */
  phone?: string | null;
  /** `moneroo` when left out. */
  provider?: MonerooInitializePaymentProvider | null;
  purpose: "wallet_deposit";
  /** Where the payer goes afterwards: https, of an allowed origin. */
  return_url?: string | null;
} | {
  /** Must be what is due, when it is said. */
  amount?: Amount | null;
  currency?: Currency | null;
  customer?: Customer;
  /** 1 to 500 characters. */
  description?: string | null;
  /** 8 to 255 visible ASCII characters; or the `Idempotency-Key` header. */
  idempotency_key?: string | null;
  /** At most 10 texts of 200 characters, for your own use: nothing is decided by them. */
  metadata?: Record<string, unknown>;
  /** At most 10 codes of moneroo-get-payment-methods, to narrow the choice. */
  methods?: Array<string>;
  /** Whom a request to a phone asks: an international number, `+` or not. */
  phone?: string | null;
  /** `moneroo` when left out. */
  provider?: MonerooInitializePaymentProvider | null;
  purpose: "ride";
  purpose_id: string;
  /** Where the payer goes afterwards: https, of an allowed origin. */
  return_url?: string | null;
} | {
  amount?: Amount | null;
  currency?: Currency | null;
  customer?: Customer;
  /** 1 to 500 characters. */
  description?: string | null;
  /** 8 to 255 visible ASCII characters; or the `Idempotency-Key` header. */
  idempotency_key?: string | null;
  /** At most 10 texts of 200 characters, for your own use: nothing is decided by them. */
  metadata?: Record<string, unknown>;
  /** At most 10 codes of moneroo-get-payment-methods, to narrow the choice. */
  methods?: Array<string>;
  /** Whom a request to a phone asks: an international number, `+` or not. */
  phone?: string | null;
  plan_id: string;
  /** `moneroo` when left out. */
  provider?: MonerooInitializePaymentProvider | null;
  purpose: "plan_purchase";
  /** Where the payer goes afterwards: https, of an allowed origin. */
  return_url?: string | null;
  test_id?: string | null;
} | {
  amount?: Amount | null;
  currency?: Currency | null;
  customer?: Customer;
  /** 1 to 500 characters. */
  description?: string | null;
  /** 8 to 255 visible ASCII characters; or the `Idempotency-Key` header. */
  idempotency_key?: string | null;
  /** At most 10 texts of 200 characters, for your own use: nothing is decided by them. */
  metadata?: Record<string, unknown>;
  /** At most 10 codes of moneroo-get-payment-methods, to narrow the choice. */
  methods?: Array<string>;
  /** Whom a request to a phone asks: an international number, `+` or not. */
  phone?: string | null;
  /** `moneroo` when left out. */
  provider?: MonerooInitializePaymentProvider | null;
  /** Where the payer goes afterwards: https, of an allowed origin. */
  return_url?: string | null;
  transaction_id: string;
};

export type MonerooInitializePaymentProvider = "moneroo" | "stripe" | "paystack" | "flutterwave" | "flutterwave_v4" | "cinetpay" | "wave" | "orange_money" | "mtn_momo" | "airtel_money" | "paydunya";

/** A payment that waits for its payer: on `checkout_url`, in Stripe's own form with `client_secret`, or on his phone. */
export interface MonerooInitializePaymentReceipt {
  /** What is bought, in minor units of `currency`. */
  amount: Amount;
  checkout_url?: string | null;
  client_secret?: string;
  currency: Currency;
  fee: Units;
  message?: string;
  /** The provider's. */
  payment_id: string | null;
  status: PaymentStatus;
  success: true;
  /** What the payer pays. */
  total: Amount;
}

export interface MonerooVerifyPaymentForm {
  /** The provider's, or ours. */
  payment_id: string;
}

export interface MonerooVerifyPaymentReceipt {
  payment: OwnPayment;
  /** The provider did not answer: this is what we knew before. */
  stale?: true | null;
  success: true;
}

/** The caller's own payment, as `payment_get` gives it. Amounts are in minor units of `currency`. */
export interface OwnPayment {
  amount: Amount;
  created_at: Timestamp;
  currency: Currency;
  fee: Units;
  /** The provider's, or ours where it has none yet. */
  id: string;
  settlement: Settlement;
  status: PaymentStatus;
}

export interface PaymentRefundAsk {
  /** Minor units; all that remains when it is left out. */
  amount?: Amount | null;
  destination?: PaymentRefundDestination;
  /** 8 to 255 visible ASCII characters; required, here or in the `Idempotency-Key` header. */
  idempotency_key?: string | null;
  /** The provider's, or ours. */
  payment_id: string;
  /** 3 to 500 characters; kept. */
  reason: string;
}

export type PaymentRefundDestination = "wallet" | "original";

export interface PaymentRefundReceipt {
  refund: PaymentRefundRefund;
  success: true;
}

/** Amounts are in minor units of `currency`. */
export interface PaymentRefundRefund {
  amount: Amount;
  currency: Currency;
  destination: PaymentRefundDestination;
  id: string;
  payment_id: string;
  /** What of this payment can still be given back. */
  remaining: Units;
  status: PaymentRefundRefundStatus;
}

export type PaymentRefundRefundStatus = "succeeded" | "failed" | "pending";

/** Where a payment is. `success` and `refunded` are final; what failed, was cancelled or expired still counts when money comes late. */
export type PaymentStatus = "initiating" | "pending" | "success" | "failed" | "cancelled" | "expired" | "refunded" | "unknown";

/** A point on the map, with what people call it. */
export interface Place {
  /** At most 300 characters. */
  address?: string | null;
  /** Degrees north, -90 to 90. */
  lat: number;
  /** Degrees east, -180 to 180. */
  lng: number;
}

/** A ride, as `taxi.ride_json` writes it. Amounts are in minor units of `currency`. */
export interface Ride {
  accepted_at: Timestamp | null;
  arriving_at: Timestamp | null;
  cancel_reason: string | null;
  cancellation_fee: Units;
  cancelled_at: Timestamp | null;
  completed_at: Timestamp | null;
  currency: Currency;
  customer_id: string;
  /** Kilometres, to two decimals. */
  distance_km: number;
  /** Metres. */
  distance_m: number;
  driver_id: string | null;
  driver_share: Units;
  dropoff: RideEnd;
  /** Minutes, rounded up. */
  duration_min: number;
  /** Seconds. */
  duration_s: number;
  id: string;
  payment_method: RidePaymentMethod | null;
  payment_status: RidePaymentStatus;
  pickup: RideEnd;
  platform_fee: Units;
  price_total: Amount;
  requested_at: Timestamp;
  /** What people read to each other: `TX00000042`. */
  ride_code: string;
  started_at: Timestamp | null;
  status: RideStatus;
  /** Percent: 150 is one and a half times the price. */
  surge_pct: number;
  vehicle_type: string;
}

/** One end of a ride. */
export interface RideEnd {
  address: string | null;
  lat: number;
  lng: number;
}

/** How a ride is, or was, paid. */
export type RidePaymentMethod = "wallet" | "card" | "orange_money" | "mtn_money" | "cash" | "moneroo" | "online";

export type RidePaymentStatus = "pending" | "processing" | "paid" | "failed" | "refunded";

/** Where a ride is; `started` of old clients is `picked_up`. */
export type RideStatus = "requested" | "accepted" | "arriving" | "picked_up" | "in_progress" | "completed" | "cancelled";

/** What came, against what was due. */
export type Settlement = "none" | "settled" | "underpaid" | "overpaid" | "surplus";

export interface TaxiAcceptRideAsk {
  /** Legacy: the caller's own driver row, or the caller; anybody else is refused. */
  driverId?: string | null;
  rideId: string;
}

export interface TaxiAcceptRideReceipt {
  ride: Ride;
  rideId: string;
  success: true;
}

export interface TaxiDriverHeartbeatAsk {
  /** Legacy: the caller's own driver row, or the caller; anybody else is refused. */
  driverId?: string | null;
  /** Degrees, 0 to 359. */
  heading?: number | null;
  is_online: boolean;
  /** Degrees; required while online. */
  lat?: number | null;
  /** Degrees; required while online. */
  lng?: number | null;
  /** km/h, 0 to 200. */
  speed?: number | null;
}

export interface TaxiDriverHeartbeatReceipt {
  ok: true;
  success: true;
}

/** Legacy bodies also carry amounts and ids of others: unknown here, so they go no further. */
export interface TaxiPaymentAsk {
  /** `true`, by the driver of the ride: the cash is in his hands. */
  confirm?: boolean | null;
  /** Legacy: must be the caller. */
  customerId?: string | null;
  /** 8 to 255 visible ASCII characters; or the `Idempotency-Key` header. Belongs to one ride and method. */
  idempotency_key?: string | null;
  /** May be left out when the driver confirms cash. */
  paymentMethod?: TaxiPaymentMethod | null;
  /** Of the payer, for mobile money: an international number, `+` or not. */
  phone?: string | null;
  rideId: string;
}

export type TaxiPaymentMethod = "wallet" | "card" | "orange_money" | "mtn_money" | "cash";

/** What the payer does now, by card and mobile money; elsewhere only how it stands. */
export interface TaxiPaymentPayment {
  checkout_url?: string;
  /** For Stripe's own form. */
  client_secret?: string;
  message?: string;
  method: RidePaymentMethod;
  /** The provider's; ask moneroo-verify-payment with it. */
  payment_id?: string;
  payment_intent_id?: string;
  status: TaxiPaymentTransactionStatus;
  success: true;
}

export interface TaxiPaymentReceipt {
  /** The same was asked before; this is what became of it. */
  duplicate?: true | null;
  payment: TaxiPaymentPayment;
  success: true;
  transaction: TaxiPaymentTransaction;
}

/** Amounts are in minor units of `currency`. */
export interface TaxiPaymentTransaction {
  amount: Amount;
  created_at: Timestamp;
  currency: Currency;
  driver_share: Units;
  id: string;
  payment_method: RidePaymentMethod;
  platform_fee: Units;
  ride_id: string;
  status: TaxiPaymentTransactionStatus;
}

export type TaxiPaymentTransactionStatus = "pending" | "processing" | "completed" | "failed" | "refunded";

export type TaxiQuoteFareForm = {
  dropoff: TaxiQuoteFarePoint;
  pickup: TaxiQuoteFarePoint;
  vehicleType?: string | null;
} | {
  /** Kilometres. */
  distanceKm: number;
  /** Minutes. */
  durationMin: number;
  lat?: number | null;
  lng?: number | null;
  vehicleType?: string | null;
};

export interface TaxiQuoteFarePoint {
  /** Degrees north, -90 to 90. */
  lat: number;
  /** Degrees east, -180 to 180. */
  lng: number;
}

/** What a ride costs. The three cost lines inform; `total` is rounded once, and decides. Minor units of `currency`. */
export interface TaxiQuoteFareReceipt {
  base_fare: Units;
  /** Whether we stand by it. */
  binding: boolean;
  currency: Currency;
  distance_cost: Units;
  /** Metres. */
  distance_m: number;
  driver_share: Units;
  /** Seconds. */
  duration_s: number;
  /** The route is the great circle times 1.3, at 25 km/h. */
  estimated: boolean;
  expires_at?: Timestamp;
  platform_fee: Units;
  quote_id?: string;
  success: true;
  /** 1.5 is one and a half times the price. */
  surge_multiplier: number;
  time_cost: Units;
  total: Units;
}

export interface TaxiRefuseRideAsk {
  /** Legacy: the caller's own driver row, or the caller; anybody else is refused. */
  driverId?: string | null;
  rideId: string;
}

export interface TaxiRefuseRideReceipt {
  /** How many drivers have let this ride go. */
  driversDeclined: number;
  success: true;
}

export interface TaxiRequestRideAsk {
  dropoff: Place;
  /** 8 to 255 visible ASCII characters; or the `Idempotency-Key` header. */
  idempotency_key?: string | null;
  pickup: Place;
  /** An own, fresh quote for the same points: it fixes the price. */
  quoteId?: string | null;
  /** `moto` when left out. */
  vehicleType?: string | null;
}

export interface TaxiRequestRideReceipt {
  fare: Fare;
  /** How many drivers got an offer. */
  notifiedDrivers: number;
  /** What people read to each other: `TX00000042`. */
  rideCode: string;
  rideId: string;
  status: RideStatus;
  success: true;
}

export interface TaxiUpdateRideStatusAsk {
  /** 1 to 300 characters; required to cancel. */
  reason?: string | null;
  rideId: string;
  status: RideStatus;
}

export interface TaxiUpdateRideStatusReceipt {
  ride: Ride;
  success: true;
}

/** A moment in UTC, RFC 3339 with `Z`: `2027-01-15T08:00:00.000Z`. */
export type Timestamp = string;

/** An amount in the currency's minor unit, or 0. */
export type Units = number;

export interface WalletAdminEscrow {
  pending_count: number;
  total_held: number;
  total_released: number;
}

export type WalletAdminForm = {
  action: "block";
  currency?: Currency | null;
  idempotency_key?: string | null;
  /** 3 to 500 characters; kept. */
  reason: string;
  user_id?: string | null;
  wallet_id?: string | null;
} | {
  action: "unblock";
  currency?: Currency | null;
  idempotency_key?: string | null;
  /** 3 to 500 characters; kept. */
  reason: string;
  user_id?: string | null;
  wallet_id?: string | null;
} | {
  action: "close";
  currency?: Currency | null;
  idempotency_key?: string | null;
  /** 3 to 500 characters; kept. */
  reason: string;
  user_id?: string | null;
  wallet_id?: string | null;
} | {
  action: "set_limits";
  currency?: Currency | null;
  daily_limit: Units;
  idempotency_key?: string | null;
  monthly_limit: Units;
  reason: string;
  user_id?: string | null;
  wallet_id?: string | null;
} | {
  action: "settle_payout";
  idempotency_key?: string | null;
  payout_id: string;
  provider_reference?: string | null;
  reason: string;
  result: WalletAdminOutcome;
} | {
  action: "release_suspense";
  entry_id: string;
  idempotency_key?: string | null;
  reason: string;
  refund?: boolean | null;
  to_user_id?: string | null;
} | {
  action: "stats";
  currency?: Currency | null;
  /** A day or an RFC 3339 time; 30 days before `to` when left out. */
  from?: string | null;
  /** A day (included) or an RFC 3339 time; now when left out. */
  to?: string | null;
};

export type WalletAdminOutcome = "completed" | "failed";

/** Amounts are in minor units of `currency`. */
export interface WalletAdminPayout {
  amount: Amount;
  currency: Currency;
  fee: Units;
  id: string;
  kind: "wallet_withdrawal" | "store_withdrawal" | "refund";
  method: string;
  provider_payout_id: string | null;
  provider_reference: string | null;
  status: WalletAdminOutcome;
}

export interface WalletAdminPayoutReceipt {
  payout: WalletAdminPayout;
  success: true;
}

/** How many. */
export interface WalletAdminPayouts {
  completed: number;
  failed: number;
  manual: number;
  pending: number;
  processing: number;
  unknown: number;
}

export interface WalletAdminRecent {
  amount: Units;
  created_at: Timestamp;
  currency: Currency;
  fee: Units;
  id: string;
  status: "completed";
  type: string;
}

export interface WalletAdminReleaseReceipt {
  amount: Amount;
  currency: Currency;
  entry_id: string;
  refund: boolean;
  success: true;
  transaction_id: string;
}

export interface WalletAdminService {
  commission: number;
  count: number;
  revenue: number;
  service_name: string;
}

/** Bare, as it always was. Amounts are in minor units of `currency`. Open payments and payouts, held escrow and suspense are as of now; everything else is of the period. */
export interface WalletAdminStats {
  active_wallets: number;
  alerts: number;
  currency: Currency;
  dead_letters: number;
  escrow_stats: WalletAdminEscrow;
  from: Timestamp;
  payouts: WalletAdminPayouts;
  /** The sum of open payments. */
  pending_payments: number;
  recent_transactions: Array<WalletAdminRecent>;
  revenue_by_service: Array<WalletAdminService>;
  suspense: WalletAdminSuspense;
  to: Timestamp;
  /** What the platform gained, after whatever was given back. */
  total_commission: number;
  /** Gross: what was deposited, sent, withdrawn, ridden, bought. */
  total_revenue: number;
  transactions_count: number;
}

export interface WalletAdminSuspense {
  open: number;
  total: number;
}

/** No balance, and nothing personal. Limits are in minor units of `currency`; null: those of the currency. */
export interface WalletAdminWallet {
  blocked_at: Timestamp | null;
  blocked_by: string | null;
  blocked_reason: string | null;
  currency: Currency;
  daily_limit: Units | null;
  id: string;
  monthly_limit: Units | null;
  status: WalletAdminWalletStatus;
  user_id: string;
}

export interface WalletAdminWalletReceipt {
  success: true;
  wallet: WalletAdminWallet;
}

export type WalletAdminWalletStatus = "active" | "blocked" | "closed";

/** What became of a deposit. */
export interface WalletOperationsClaimReceipt {
  amount: Amount;
  currency: Currency;
  fee: Units;
  new_balance: Units;
  operation: "deposit";
  payment_id: string;
  settlement: Settlement;
  status: WalletOperationsClaimed;
  success: true;
}

export type WalletOperationsClaimed = "pending" | "completed" | "failed" | "cancelled" | "expired" | "refunded";

/** A deposit that was begun: the payer goes to `checkout_url`. The balance is still the old one. */
export interface WalletOperationsDepositReceipt {
  amount: Amount;
  checkout_url: string | null;
  currency: Currency;
  fee: Units;
  new_balance: Units;
  operation: "deposit";
  /** The provider's. */
  payment_id: string | null;
  status: PaymentStatus;
  success: true;
  /** What the payer pays. */
  total: Amount;
}

export type WalletOperationsForm = {
  amount: Amount;
  currency?: Currency | null;
  for?: WalletOperationsOperation | null;
  operation: "preview";
  recipient_id?: string | null;
} | {
  amount: Amount;
  /** Without a key, the same again within a minute is meant. */
  confirm_duplicate?: boolean;
  currency?: Currency | null;
  description?: string | null;
  idempotency_key?: string | null;
  operation: "transfer";
  recipient_id: string;
} | {
  amount: Amount;
  /** Without a key, the same again within a minute is meant. */
  confirm_duplicate?: boolean;
  currency?: Currency | null;
  description?: string | null;
  idempotency_key?: string | null;
  method: string;
  operation: "withdraw";
  phone: string;
} | {
  amount: Amount;
  currency?: Currency | null;
  customer?: Customer | null;
  description?: string | null;
  idempotency_key?: string | null;
  operation: "deposit";
  return_url?: string | null;
} | {
  operation: "deposit";
  payment_id: string;
};

export type WalletOperationsOperation = "preview" | "deposit" | "withdraw" | "transfer";

export interface WalletOperationsPreviewReceipt {
  amount: Amount;
  amount_received: Amount;
  currency: Currency;
  fee: Units;
  operation: "preview";
  recipient?: WalletOperationsRecipient;
  success: true;
  /** `amount` and `fee`. */
  total: Amount;
}

/** Enough to see who it is: a first name and an initial. */
export interface WalletOperationsRecipient {
  display_name: string;
}

export interface WalletOperationsTransferReceipt {
  amount: Amount;
  currency: Currency;
  fee: Units;
  /** The sender's. */
  new_balance: Units;
  operation: "transfer";
  success: true;
  total: Amount;
  transaction_id: string;
  transfer_code: string;
}

export interface WalletOperationsWithdrawalReceipt {
  amount: Amount;
  currency: Currency;
  fee: Units;
  new_balance: Units;
  operation: "withdraw";
  status: "pending";
  success: true;
  total: Amount;
  transaction_id: string;
}
