/**
 * Tables of the journal. The constraints are the guard: whatever the program believes, no nonce is given twice, no intent has two
 * slots, no slot lands two transactions, nothing is booked or reversed twice. Accounts are stored in lower case, because two
 * spellings would be two owners. Amounts are base units in numeric(78,0), which holds every uint256.
 */
const TABLES = `
create schema if not exists journal;

-- programs that use this database, and when they were last alive
create table journal.driver (
  id text primary key,
  host text not null,
  pid int not null,
  started_at timestamptz not null default clock_timestamp(),
  beat timestamptz not null default clock_timestamp()
);

-- who may sign for an account. next: the first nonce that was never given out; it only grows
create table journal.account (
  chain_id bigint not null check (chain_id > 0),
  account text not null check (account ~ '^0x[0-9a-f]{40}$'),
  owner text references journal.driver,
  epoch bigint not null check (epoch > 0),
  until timestamptz not null,
  next bigint not null check (next >= 0),
  stopped text,
  stopped_at timestamptz,
  primary key (chain_id, account),
  check ((stopped is null) = (stopped_at is null))
);

-- one row per nonce, never deleted or recycled. foreign: the nonce was used by a transaction that is not ours
create table journal.slot (
  chain_id bigint not null,
  account text not null,
  nonce bigint not null check (nonce >= 0),
  epoch bigint not null,
  state text not null default 'open' check (state in ('open', 'mined', 'final', 'foreign')),
  evidence text,
  created_at timestamptz not null default clock_timestamp(),
  primary key (chain_id, account, nonce),
  foreign key (chain_id, account) references journal.account
);
create index slot_unsettled on journal.slot (chain_id, account, nonce) where state in ('open', 'mined');

-- what is wanted once on a chain, and the slot that it got. holder: contract whose balances it moves
create table journal.intent (
  chain_id bigint not null,
  id text not null check (id <> ''),
  account text not null,
  nonce bigint not null,
  holder text check (holder ~ '^0x[0-9a-f]{40}$'),
  profit_token text check (profit_token ~ '^0x[0-9a-f]{40}$'),
  expected_profit numeric(78, 0),
  created_at timestamptz not null default clock_timestamp(),
  primary key (chain_id, id),
  foreign key (chain_id, account, nonce) references journal.slot,
  check ((profit_token is null) = (expected_profit is null))
);
create index intent_slot on journal.intent (chain_id, account, nonce);

-- signed bytes, journaled before they are sent. exposed: they may have been sent where everybody sees them
create table journal.attempt (
  hash text primary key check (hash ~ '^0x[0-9a-f]{64}$'),
  chain_id bigint not null,
  account text not null,
  nonce bigint not null,
  number int not null check (number >= 1),
  kind text not null check (kind in ('trade', 'replacement', 'cancel', 'no-op')),
  intent_id text,
  raw text not null check (raw ~ '^0x([0-9a-f]{2})+$'),
  max_fee numeric(78, 0) not null check (max_fee > 0),
  priority_fee numeric(78, 0) not null check (priority_fee >= 0 and priority_fee <= max_fee),
  gas_limit bigint not null check (gas_limit >= 21000),
  exposed boolean not null,
  last_block bigint,
  created_at timestamptz not null default clock_timestamp(),
  broadcast_at timestamptz,
  unique (chain_id, account, nonce, number),
  foreign key (chain_id, account, nonce) references journal.slot,
  foreign key (chain_id, intent_id) references journal.intent (chain_id, id),
  check ((kind in ('cancel', 'no-op')) = (intent_id is null))
);

-- what each route answered
create table journal.send (
  id bigint generated always as identity primary key,
  hash text not null references journal.attempt,
  route text not null,
  status text not null check (status in ('accepted', 'refused', 'unknown')),
  kind text,
  detail text not null default '',
  target_block bigint,
  at timestamptz not null default clock_timestamp(),
  check ((status = 'refused') = (kind is not null))
);
create index send_hash on journal.send (hash, id);

-- a receipt seen in a block. A reorganisation takes it back; the row stays
create table journal.inclusion (
  id bigint generated always as identity primary key,
  chain_id bigint not null,
  account text not null,
  nonce bigint not null,
  hash text not null references journal.attempt,
  block_number bigint not null,
  block_hash text not null check (block_hash ~ '^0x[0-9a-f]{64}$'),
  succeeded boolean not null,
  gas_used numeric(78, 0) not null,
  fee numeric(78, 0) not null,
  noted_at timestamptz not null default clock_timestamp(),
  final_at timestamptz,
  taken_back_at timestamptz,
  foreign key (chain_id, account, nonce) references journal.slot,
  check (final_at is null or taken_back_at is null)
);
-- at most one transaction of a slot is on the chain
create unique index inclusion_one on journal.inclusion (chain_id, account, nonce) where taken_back_at is null;

-- changes of balances, base units, negative for what left. Never changed or deleted: a counter entry reverses
create table journal.ledger (
  id bigint generated always as identity primary key,
  inclusion bigint not null references journal.inclusion,
  chain_id bigint not null,
  holder text not null check (holder ~ '^0x[0-9a-f]{40}$'),
  asset text not null check (asset = 'native' or asset ~ '^0x[0-9a-f]{40}$'),
  kind text not null check (kind in ('gas', 'l1-fee', 'operator-fee', 'value', 'transfer', 'wrap')),
  amount numeric(78, 0) not null,
  reverses bigint unique references journal.ledger,
  booked_at timestamptz not null default clock_timestamp()
);
create unique index ledger_once on journal.ledger (inclusion, holder, asset, kind) where reverses is null;
create index ledger_holder on journal.ledger (chain_id, holder, asset);
`;

const RELAY_ANSWERS = `
-- what was asked of the route: to take the bytes, to forget them, or to say what they would do
alter table journal.send add column action text not null default 'send' check (action in ('send', 'cancel', 'simulate'));
alter table journal.send add column took_ms int check (took_ms >= 0);
-- the pending transaction behind which alone the bytes may land: without it they are not sent again
alter table journal.attempt add column follows text check (follows ~ '^0x[0-9a-f]{64}$');
`;

const WANTED = `
-- the driver that waits for the account, and since when: its holder hands it over between two transactions
alter table journal.account add column wanted_by text, add column wanted_at timestamptz,
  add check ((wanted_by is null) = (wanted_at is null));
`;

/** In the order of their names; a migration that has run anywhere is never edited. */
export const journalMigrations: { name: string; up: string }[] = [
  { name: "journal-001-tables", up: TABLES },
  { name: "journal-002-relay-answers", up: RELAY_ANSWERS },
  { name: "journal-003-wanted-accounts", up: WANTED },
];
