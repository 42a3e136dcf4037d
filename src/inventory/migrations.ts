/**
 * Tables of what happens across chains. Times by the database's clock; amounts in base units; addresses in lower case; values with big
 * numbers in the JSON of src/inventory/stored.ts.
 */
const TABLES = `
create schema if not exists crosschain;

-- one per cross-chain opportunity. id: the opportunity's. account: whose tokens it moves
create table crosschain.saga (
  id text primary key check (id <> ''),
  mode text not null check (mode in ('bridge', 'inventory')),
  account text not null check (account ~ '^0x[0-9a-f]{40}$'),
  opportunity jsonb not null,
  estimate jsonb not null,
  state text not null,
  waits_for text not null default '',
  due timestamptz,
  risk_chain bigint,
  risk_token text,
  risk_amount numeric(78, 0),
  outcome text,
  result jsonb,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  check ((outcome is null) = (finished_at is null))
);
create index saga_open on crosschain.saga (created_at) where finished_at is null;

-- every transfer by a bridge, written down before it is sent. due: when it must have arrived
create table crosschain.transfer (
  id text primary key,
  saga text not null references crosschain.saga,
  leg text not null,
  bridge text not null,
  from_chain bigint not null,
  to_chain bigint not null,
  token_in text not null,
  token_out text not null,
  amount_in numeric(78, 0) not null check (amount_in > 0),
  amount_out numeric(78, 0) not null,
  quote jsonb not null,
  key jsonb not null,
  state text not null,
  due timestamptz not null,
  recorded_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  ended_at timestamptz,
  ended text check (ended in ('delivered', 'refunded', 'not-started')),
  check ((ended is null) = (ended_at is null)),
  unique (saga, leg)
);
create index transfer_open on crosschain.transfer (recorded_at) where ended is null;
create index transfer_history on crosschain.transfer (bridge, from_chain, to_chain, recorded_at);

-- tokens that came to us in transactions of others: deliveries and refunds of bridges. One log pays one transfer
create table crosschain.arrival (
  id bigint generated always as identity primary key,
  transfer text not null references crosschain.transfer,
  chain_id bigint not null,
  holder text not null,
  asset text not null,
  amount numeric(78, 0) not null check (amount > 0),
  tx_hash text not null,
  log_index int not null,
  block_number bigint not null,
  block_hash text not null,
  booked_at timestamptz not null default clock_timestamp(),
  unique (chain_id, tx_hash, log_index),
  unique (transfer)
);

-- what a saga owns of a balance (amount), and what it expects to get there (expected)
create table crosschain.reservation (
  saga text not null references crosschain.saga,
  chain_id bigint not null,
  holder text not null,
  token text not null,
  amount numeric(78, 0) not null check (amount >= 0),
  expected numeric(78, 0) not null default 0 check (expected >= 0),
  primary key (saga, chain_id, holder, token)
);
create index reservation_token on crosschain.reservation (chain_id, holder, token);

-- a bridge that missed its deadlines carries nothing new until then
create table crosschain.stopped_bridge (
  bridge text primary key,
  reason text not null,
  until timestamptz not null
);
`;

/** Everything that changed a balance, once: a claim of ours that brings a transfer's money is in the journal and an arrival as well. */
const ENTRIES = `
-- the coin that moved within a transaction of ours, where no log shows it: what a bridge gave back of a message's fee, and the fee that
-- a vault passed on. It counts while the transaction is in a block
create table crosschain.unseen (
  chain_id bigint not null,
  tx_hash text not null,
  holder text not null check (holder ~ '^0x[0-9a-f]{40}$'),
  transfer text not null references crosschain.transfer,
  amount numeric(78, 0) not null,
  primary key (chain_id, tx_hash, holder)
);

create view crosschain.entry as
  select l.chain_id, l.holder, l.asset, a.intent_id, null::text as saga,
    case when l.kind in ('gas', 'l1-fee', 'operator-fee') then 0 else l.amount end as amount,
    case when l.kind in ('gas', 'l1-fee', 'operator-fee') then -l.amount else 0 end as gas
  from journal.ledger l join journal.inclusion i on i.id = l.inclusion join journal.attempt a on a.hash = i.hash
  where i.taken_back_at is null
  union all
  select r.chain_id, r.holder, r.asset, null, t.saga, r.amount, 0
  from crosschain.arrival r join crosschain.transfer t on t.id = r.transfer
  where not exists (
    select 1 from journal.inclusion i join journal.ledger l on l.inclusion = i.id
    where i.hash = r.tx_hash and i.taken_back_at is null and l.holder = r.holder and l.asset = r.asset
  )
  union all
  select u.chain_id, u.holder, 'native', null, t.saga, u.amount, 0
  from crosschain.unseen u join crosschain.transfer t on t.id = u.transfer
  where exists (select 1 from journal.inclusion i where i.hash = u.tx_hash and i.taken_back_at is null);
`;

/** Transfers that bring stock to its shares belong to no trade. */
const REBALANCING = `
alter table crosschain.transfer drop constraint transfer_saga_fkey;
alter table crosschain.reservation drop constraint reservation_saga_fkey;

-- one transfer of stock. id: "rebalance/TOKEN/NUMBER", the "saga" of its transfer and its reservations. outcome: what became of it
create table crosschain.rebalancing (
  id text primary key check (starts_with(id, 'rebalance/')),
  token text not null,
  account text not null check (account ~ '^0x[0-9a-f]{40}$'),
  move jsonb not null,
  state text not null,
  waits_for text not null default '',
  created_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  outcome text check (outcome in ('delivered', 'refunded', 'not-started')),
  detail text not null default '',
  books jsonb,
  check ((outcome is null) = (finished_at is null))
);
-- one at a time, whatever drivers there are
create unique index rebalancing_one on crosschain.rebalancing (token) where finished_at is null;
`;

/** A saga's transactions are found by the beginning of their intents' names: at its end, and at every look until all are final. */
const SAGA_INTENTS = `
create index intent_name on journal.intent (id text_pattern_ops);
create index attempt_intent on journal.attempt (intent_id text_pattern_ops) where intent_id is not null;
create index inclusion_hash on journal.inclusion (hash);
`;

/** That a held trade is to go on, and how: read by the driver that has its account. */
const WISHES = `
alter table crosschain.saga add column wish text, add column wished_at timestamptz;
alter table crosschain.saga add check ((wish is null) = (wished_at is null));
create index saga_wished on crosschain.saga (wished_at) where wish is not null;
`;

/** What no rule of its bridge ends, and an operator has given up. */
const GIVEN_UP = `
alter table crosschain.transfer drop constraint transfer_ended_check,
  add constraint transfer_ended_check check (ended in ('delivered', 'refunded', 'not-started', 'given-up'));
alter table crosschain.rebalancing drop constraint rebalancing_outcome_check,
  add constraint rebalancing_outcome_check check (outcome in ('delivered', 'refunded', 'not-started', 'given-up'));
`;

/** In the order of their names; a migration that has run anywhere is never edited. */
export const crossChainMigrations: { name: string; up: string }[] = [
  { name: "crosschain-001-tables", up: TABLES },
  { name: "crosschain-002-entries", up: ENTRIES },
  { name: "crosschain-003-rebalancing", up: REBALANCING },
  { name: "crosschain-004-wishes", up: WISHES },
  { name: "crosschain-010-saga-intents", up: SAGA_INTENTS },
  { name: "crosschain-011-given-up", up: GIVEN_UP },
];
