//! The table of the providers, and somebody who pays by one of them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::call::Reply;
use crate::faults_rules::open_currency;
use crate::people::Person;
use crate::world::World;

/// How a test makes the answer to one payer's creation get lost.
pub enum Aim {
    /// The provider fails after it has done it; it knows the payer by his address.
    Email,
    /// The same; it knows the payer by the number that it asks, dialled without this.
    Phone(&'static str),
    /// The creation names nobody: we are cut off before its answer is on our row.
    Nobody,
}

/// What finds a payment again whose creation was never answered (money.md, 2.4).
pub enum Lost {
    /// The ordinary question: the id is ours.
    Asked,
    /// A search by our id.
    Searched,
    /// Our signed tag, when its notification comes.
    Tagged,
    /// Nothing: without the token of the lost answer it cannot be asked.
    Gone,
}

/// What makes a notification authentic.
pub enum Proof {
    Signature,
    /// The token in the address.
    Address,
    /// That, and a token in the body.
    Both,
}

pub struct Rail {
    pub name: &'static str,
    pub currency: &'static str,
    /// One of our minor units in the provider's: 100 where it counts hundredths of a franc.
    pub unit: i64,
    /// How the payer's number begins, where the phone is asked.
    pub phone: Option<&'static str>,
    pub methods: &'static [&'static str],
    pub aim: Aim,
    pub lost: Lost,
    pub proof: Proof,
}

const RAIL: Rail = Rail {
    name: "",
    currency: "XOF",
    unit: 1,
    phone: None,
    methods: &[],
    aim: Aim::Nobody,
    lost: Lost::Asked,
    proof: Proof::Signature,
};
pub static RAILS: [Rail; 10] = [
    Rail { name: "stripe", currency: "USD", lost: Lost::Searched, ..RAIL },
    Rail { name: "paystack", unit: 100, aim: Aim::Email, ..RAIL },
    Rail { name: "flutterwave", currency: "GHS", aim: Aim::Email, ..RAIL },
    Rail {
        name: "flutterwave_v4",
        currency: "GHS",
        phone: Some("2332"),
        methods: &["mtn_gh"],
        aim: Aim::Email,
        ..RAIL
    },
    Rail { name: "cinetpay", currency: "XAF", aim: Aim::Email, ..RAIL },
    Rail { name: "wave", lost: Lost::Searched, ..RAIL },
    Rail { name: "orange_money", currency: "GNF", lost: Lost::Gone, proof: Proof::Both, ..RAIL },
    Rail { name: "mtn_momo", currency: "GNF", phone: Some("2246"), aim: Aim::Phone(""), proof: Proof::Address, ..RAIL },
    Rail {
        name: "airtel_money",
        currency: "UGX",
        phone: Some("2567"),
        aim: Aim::Phone("256"),
        proof: Proof::Address,
        ..RAIL
    },
    Rail { name: "paydunya", lost: Lost::Tagged, proof: Proof::Address, ..RAIL },
];

/// 0.5 % of it is 100.25, hence 100: a total with a fraction where the currency has one, and a multiple of five.
pub const AMOUNT: i64 = 20_050;
pub const FEE: i64 = 100;
pub const TOTAL: i64 = AMOUNT + FEE;
const INIT: &str = "moneroo-initialize-payment";

/// Somebody who pays by a rail, with a number of his own.
pub struct Payer {
    pub w: &'static World,
    pub rail: &'static Rail,
    pub person: Person,
    pub phone: String,
}

impl Payer {
    pub async fn new(w: &'static World, rail: &'static Rail) -> Payer {
        open_currency(w, rail.currency).await;
        let person = w.person().await;
        // Not ending in 00: such a phone says yes by itself.
        let phone = format!("{}{:07}1", rail.phone.unwrap_or_default(), person.id.as_u128() % 10_000_000);
        Payer { w, rail, person, phone }
    }

    pub async fn asks(&self) -> Reply {
        let mut ask = json!({ "purpose": "wallet_deposit", "amount": AMOUNT, "currency": self.rail.currency,
                              "provider": self.rail.name, "methods": self.rail.methods });
        if self.rail.phone.is_some() {
            ask["phone"] = json!(self.phone);
        }
        self.person.call(INIT, ask).await
    }

    /// Our row of his payment, the last one.
    pub async fn row(&self) -> Value {
        let sql = "select to_jsonb(p) from payments.payments p where user_id = $1 order by created_at desc limit 1";
        self.w.one(sql, &[&self.person.id]).await
    }

    /// Our own id of his payment.
    pub async fn own(&self) -> String {
        self.row().await["id"].as_str().expect("an id").to_owned()
    }

    /// The provider's payment.
    pub async fn there(&self, id: &str) -> Value {
        self.w.control(Method::GET, &format!("payments/{id}"), json!({})).await
    }

    /// What the provider has told us of it, or was kept from telling.
    pub async fn heard(&self, theirs: &str) -> Value {
        let named = format!("deliveries?provider={}&id={theirs}", self.rail.name);
        self.w.control(Method::GET, &named, json!({})).await
    }

    pub async fn pays(&self, id: &str, how: Value) {
        self.w.order(&format!("payments/{id}/pay"), how).await;
    }

    pub async fn is_settled(&self) -> Value {
        let what = format!("{} settles", self.rail.name);
        let done = async || Some(self.row().await).filter(|row| row["status"] == "success");
        self.w.eventually(&what, done).await
    }

    /// What the wallet holds, and how often it was touched.
    pub async fn has(&self) -> (i64, i64) {
        (self.person.balance(self.rail.currency).await, self.person.moves().await)
    }

    /// Everything that tells us of this payment, once more: nothing moves.
    pub async fn hears_it_again(&self, id: &str) {
        let before = self.has().await;
        let told = self.w.order(&format!("payments/{id}/redeliver"), json!({ "times": 3 })).await;
        assert_eq!(told["statuses"], json!([200, 200, 200]));
        self.w.sweeps(id).await;
        let ask = json!({ "payment_id": id });
        let read = self.person.call("moneroo-verify-payment", ask).await;
        assert_eq!((&read.ok(200)["payment"]["status"], self.has().await), (&json!("success"), before));
    }
}
