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

/** That a held trade is to go on, and how: read by the driver that has its account. */
const WISHES = `
alter table crosschain.saga add column wish text, add column wished_at timestamptz;
alter table crosschain.saga add check ((wish is null) = (wished_at is null));
create index saga_wished on crosschain.saga (wished_at) where wish is not null;
`;

/** An arrival that a transaction of our own brought (a mint, a delivery or a refund that we called) stands in the journal's ledger already. */
const OWN_ARRIVALS = `
alter table crosschain.arrival add column in_ledger boolean not null default false;
update crosschain.arrival r set in_ledger = true where exists (select 1 from journal.attempt a where a.hash = r.tx_hash);
`;

/** In the order of their names; a migration that has run anywhere is never edited. */
export const crossChainMigrations: { name: string; up: string }[] = [
  { name: "crosschain-001-tables", up: TABLES },
  { name: "crosschain-002-wishes", up: WISHES },
  { name: "crosschain-003-own-arrivals", up: OWN_ARRIVALS },
];
