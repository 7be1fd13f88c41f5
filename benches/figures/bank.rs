//! The bank as compiled code: what `bank.yaml` says, for the baseline and for what must come out.

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use std::fmt;

/// An amount in hundredths, in JSON a number such as `25.1`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cents(pub i64);

/// Up to here a float tells all hundredths apart.
const MOST: f64 = 1e13;

impl Serialize for Cents {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        // The shortest text of the nearest float is the decimal again.
        #[expect(clippy::cast_precision_loss, reason = "amounts stay far below 2^53")]
        to.serialize_f64(self.0 as f64 / 100.0)
    }
}

impl<'de> Deserialize<'de> for Cents {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Cents;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Cents, E> {
                let whole = i64::try_from(number).ok().and_then(|whole| whole.checked_mul(100));
                whole.map(Cents).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Cents, E> {
                let hundredths = (number * 100.0).round();
                if hundredths.abs() > MOST {
                    return Err(E::invalid_value(Unexpected::Float(number), &self));
                }
                #[expect(clippy::cast_possible_truncation, reason = "looked at above")]
                Ok(Cents(hundredths as i64))
            }
        }
        from.deserialize_any(Number)
    }
}

/// What an account is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Never opened.
    #[default]
    None,
    /// In use.
    Open,
    /// For good.
    Closed,
}

/// The state of an account, and what the read model shows of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// Where it is in its life.
    pub status: Status,
    /// Whose it is.
    pub owner: Box<str>,
    /// What is on it.
    pub balance: Cents,
    /// How often something was paid in.
    pub deposits: i64,
}

/// The payload of `Open` and of `Opened`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Opening<'a> {
    owner: &'a str,
    currency: &'a str,
    branch: &'a str,
}

/// The payload of `Deposit` and of `Deposited`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Deposit<'a> {
    /// How much.
    pub amount: Cents,
    #[serde(rename = "ref")]
    reference: &'a str,
    channel: &'a str,
}

/// The payload of `Withdraw` and of `Withdrawn`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Withdrawal<'a> {
    /// How much.
    pub amount: Cents,
    #[serde(rename = "ref")]
    reference: &'a str,
    channel: &'a str,
    device: u32,
}

/// The payload of `Close` and of `Closed`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Closing<'a> {
    reason: &'a str,
    by: &'a str,
    r#final: bool,
}

/// The name of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Name {
    /// An account comes to be.
    Open,
    /// Money comes.
    Deposit,
    /// Money goes.
    Withdraw,
    /// An account is done with.
    Close,
}

/// A line of a batch.
#[derive(Debug, Deserialize)]
pub struct Line<'a> {
    /// Which account.
    pub stream: &'a str,
    /// What is wanted.
    pub command: Name,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// A command that was read and an event that is to be written: every event has its command's payload.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Deed<'a> {
    /// `Open`, `Opened`
    Open(Opening<'a>),
    /// `Deposit`, `Deposited`
    Deposit(Deposit<'a>),
    /// `Withdraw`, `Withdrawn`
    Withdraw(Withdrawal<'a>),
    /// `Close`, `Closed`
    Close(Closing<'a>),
}

/// Why nothing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// The account exists.
    AlreadyOpen,
    /// The account does not exist or is closed.
    NotOpen,
    /// There is less on it.
    InsufficientFunds,
    /// There is something on it.
    NotEmpty,
}

impl<'a> Line<'a> {
    /// The payload, as the command's type has it.
    pub fn deed(&self) -> serde_json::Result<Deed<'a>> {
        let data = self.data.get();
        Ok(match self.command {
            Name::Open => Deed::Open(serde_json::from_str(data)?),
            Name::Deposit => Deed::Deposit(serde_json::from_str(data)?),
            Name::Withdraw => Deed::Withdraw(serde_json::from_str(data)?),
            Name::Close => Deed::Close(serde_json::from_str(data)?),
        })
    }
}

impl Deed<'_> {
    /// The number and the name of the event's type.
    pub fn kind(&self) -> (i64, &'static str) {
        match self {
            Self::Open(_) => (1, "Opened"),
            Self::Deposit(_) => (2, "Deposited"),
            Self::Withdraw(_) => (3, "Withdrawn"),
            Self::Close(_) => (4, "Closed"),
        }
    }
}

impl Account {
    /// The rules: whether that may happen.
    pub fn decide(&self, deed: &Deed<'_>) -> Result<(), Rejection> {
        match deed {
            Deed::Open(_) if self.status != Status::None => Err(Rejection::AlreadyOpen),
            Deed::Open(_) => Ok(()),
            _ if self.status != Status::Open => Err(Rejection::NotOpen),
            Deed::Withdraw(withdrawal) if withdrawal.amount > self.balance => Err(Rejection::InsufficientFunds),
            Deed::Close(_) if self.balance != Cents(0) => Err(Rejection::NotEmpty),
            Deed::Deposit(_) | Deed::Withdraw(_) | Deed::Close(_) => Ok(()),
        }
    }

    /// What it adds up to.
    pub fn apply(&mut self, deed: &Deed<'_>) {
        match deed {
            Deed::Open(opening) => self.open(opening.owner),
            Deed::Deposit(deposit) => self.pay_in(deposit.amount),
            Deed::Withdraw(withdrawal) => self.balance.0 -= withdrawal.amount.0,
            Deed::Close(_) => self.status = Status::Closed,
        }
    }

    /// The same with an event as it is stored. Only what the fold needs is read.
    pub fn fold(&mut self, kind: i64, data: &str) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Opened<'a> {
            owner: &'a str,
        }
        #[derive(Deserialize)]
        struct Moved {
            amount: Cents,
        }
        match kind {
            1 => self.open(serde_json::from_str::<Opened<'_>>(data)?.owner),
            2 => self.pay_in(serde_json::from_str::<Moved>(data)?.amount),
            3 => self.balance.0 -= serde_json::from_str::<Moved>(data)?.amount.0,
            4 => self.status = Status::Closed,
            other => anyhow::bail!("there is no event type {other}"),
        }
        Ok(())
    }

    fn open(&mut self, owner: &str) {
        self.status = Status::Open;
        self.owner = owner.into();
    }

    fn pay_in(&mut self, amount: Cents) {
        self.balance.0 += amount.0;
        self.deposits += 1;
    }
}
