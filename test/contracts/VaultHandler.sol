// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ArbVault} from "../../contracts/ArbVault.sol";
import {IERC20} from "../../contracts/interfaces/IERC20.sol";
import {VaultPrices} from "../../contracts/VaultPrices.sol";
import {ForkPair} from "../mocks/Pools.sol";
import {HookToken} from "../mocks/Tokens.sol";
import {BridgeStandIn, MessengerStandIn, SettableFeed, SpokePoolStandIn, StargateStandIn} from "../mocks/Vault.sol";
import {TestBase} from "./TestBase.sol";
import {Intruder, LawlessPool, PricedPool} from "./VaultWorld.sol";

/// @notice A thief with an operator's key, who also owns the pools and relays the bridges, against a vault whose owner now and then
/// changes limits and withdraws. Keeps books of its own: what left by which market or route, measured at the other side, and what
/// that was worth by the oracle at that moment. All values are base units times the price of the feed.
contract VaultHandler is TestBase {
    struct Use {
        uint256 at;
        uint256 amount;
    }

    address private constant OWNER = address(0xdad);
    address private constant NOBODY = address(0x5747);
    uint256 private constant LIMIT = 1_000 ether;

    ArbVault public immutable vault;
    Intruder public immutable intruder;
    HookToken[3] public tokens;
    SettableFeed[3] private feeds;
    uint256[3] private prices;
    /// @dev Pool i trades tokens i and i + 1.
    address[3] private pools;
    BridgeStandIn[3] private bridges;
    /// @dev Market 2 i sells token i in pool i, market 2 i + 1 buys it. Route i sends token i.
    bytes32[6] private markets;
    bytes32[3] private routes;
    uint256[9] private bps;
    mapping(uint256 => Use[]) private uses;
    uint256 private nextId;
    uint256[3] private owners;

    /// @notice The first promise that was broken; empty if none was.
    string public broken;
    /// @notice Value that the vault and what is on its way to the twin lost to operators' calls, and the most that the bounds of the
    /// markets and routes allow for what was used. Both times 10,000.
    uint256 public lost;
    uint256 public allowed;
    uint256 public swaps;
    uint256 public transfers;
    uint256 public refused;

    constructor() {
        for (uint256 i = 0; i < 3; ++i) {
            tokens[i] = new HookToken();
            prices[i] = [uint256(2000e8), 1e8, 60_000e8][i];
            feeds[i] = new SettableFeed(8, int256(prices[i]));
        }
        address[] memory operators = new address[](1);
        operators[0] = address(this);
        vault = new ArbVault(OWNER, operators);
        intruder = new Intruder(vault);
        vm.prank(OWNER);
        vault.setOperator(address(intruder), true);
        (address a, address b, address c) = (address(tokens[0]), address(tokens[1]), address(tokens[2]));
        pools = [
            address(new PricedPool(a, b, 2000 ether)),
            address(new ForkPair(b, c, 3000)),
            address(new LawlessPool(c, a))
        ];
        bridges[0] = new SpokePoolStandIn();
        bridges[1] = new MessengerStandIn();
        bridges[2] = new StargateStandIn(c, 1e12, 10, 0);
        for (uint256 i = 0; i < 3; ++i) {
            tokens[i].mint(address(vault), 10_000 ether);
            tokens[i].mint(pools[0], 1e9 ether);
            tokens[i].mint(pools[2], 1e9 ether);
        }
        tokens[1].mint(pools[1], 60_000_000 ether);
        tokens[2].mint(pools[1], 1_000 ether);
        ForkPair(pools[1]).sync();
        for (uint256 i = 0; i < 6; ++i) _setMarket(i, 50 + 90 * i, LIMIT);
        for (uint256 i = 0; i < 3; ++i) _setRoute(i, 30 + 20 * i, LIMIT);
    }

    // ------------------------------------------------------------------------------------------------- the thief

    /// @notice Sells along one to three markets of the ring, in either direction, with the worst that the pools can give.
    function swap(uint256 seed, uint256 amount) external {
        uint256 length = 1 + (seed % 3);
        bool up = (seed >> 8) % 2 == 0;
        uint256 token = (seed >> 16) % 3;
        uint256[3] memory hops;
        uint256[3] memory held;
        bytes32[] memory ids = new bytes32[](length);
        uint256 first = token;
        for (uint256 i = 0; i < length; ++i) {
            uint256 pool = up ? token : (token + 2) % 3;
            hops[i] = 2 * pool + (up ? 0 : 1);
            ids[i] = markets[hops[i]];
            held[i] = tokens[token].balanceOf(pools[pool]);
            token = up ? (token + 1) % 3 : pool;
        }
        amount = _amount(seed >> 24, amount, first);
        LawlessPool(pools[2]).setSeed(seed >> 32, _inTokens(first, amount, up ? 0 : 2));
        uint256 before = _value();
        _arm(hops[0]);
        (bool done, ) = address(vault).call(abi.encodeCall(ArbVault.swap, (ids, amount, 0)));
        intruder.disarm();
        if (done) ++swaps;
        else ++refused;
        uint256 most;
        token = first;
        for (uint256 i = 0; i < length && done; ++i) {
            uint256 has = tokens[token].balanceOf(pools[hops[i] / 2]);
            most += _book(hops[i], token, has > held[i] ? has - held[i] : 0);
            token = up ? (token + 1) % 3 : (token + 2) % 3;
        }
        _audit(before, most);
    }

    /// @notice Sends by a bridge whose relayer keeps all that it may.
    function send(uint256 seed, uint256 amount, uint256 fee) external {
        uint256 i = seed % 3;
        amount = _amount(seed >> 8, amount, i);
        uint256 out = amount - (amount * (fee % (bps[6 + i] + 5))) / 10_000;
        uint256 id = (seed >> 16) % 8 == 0 && nextId > 0 ? nextId - 1 : nextId;
        ArbVault.Transfer memory t = ArbVault.Transfer(
            id,
            amount,
            out,
            uint32(block.timestamp),
            uint32(block.timestamp + ((seed >> 32) % 7200)),
            seed >> 255 == 1
        );
        uint256 before = _value();
        uint256 held = tokens[i].balanceOf(address(bridges[i]));
        _arm(2 * i);
        (bool done, ) = address(vault).call(abi.encodeCall(ArbVault.bridge, (routes[i], t)));
        intruder.disarm();
        if (done && id != nextId) _break("an id was used twice");
        if (done) (++transfers, ++nextId);
        else ++refused;
        _audit(before, _book(6 + i, i, tokens[i].balanceOf(address(bridges[i])) - held));
    }

    /// @notice What neither operators nor strangers nor pools may do.
    function trespass(uint256 seed, bool asOperator) external {
        address token = address(tokens[seed % 3]);
        uint256 kind = (seed >> 8) % 9;
        bytes memory call;
        if (kind == 0) call = abi.encodeCall(ArbVault.withdraw, (token, 1));
        if (kind == 1) call = abi.encodeCall(ArbVault.withdrawNative, (0));
        if (kind == 2) call = abi.encodeCall(ArbVault.setOperator, (NOBODY, true));
        if (kind == 3) call = abi.encodeCall(ArbVault.transferOwnership, (NOBODY));
        if (kind == 4) call = abi.encodeCall(ArbVault.acceptOwnership, ());
        if (kind == 5) call = abi.encodeCall(ArbVault.resume, ());
        if (kind == 6) call = abi.encodeCall(ArbVault.uniswapV3SwapCallback, (1, -1, ""));
        if (kind == 7) call = abi.encodeCall(ArbVault.setMarket, (_market(seed % 6, 500, LIMIT)));
        if (kind == 8) call = abi.encodeCall(ArbVault.wrap, (token, markets[seed % 6]));
        uint256 before = _value();
        vm.prank(asOperator ? address(this) : [NOBODY, pools[0], pools[2], address(bridges[0])][(seed >> 16) % 4]);
        (bool done, ) = address(vault).call(call);
        if (done) _break("an operator or a stranger did what only the owner may");
        _audit(before, 0);
    }

    // ------------------------------------------------------------------------------------------------- the world

    function movePool(uint256 seed) external {
        if (seed % 2 == 0) {
            PricedPool(pools[0]).setPrice(bound(seed >> 8, (_rate(0, 1) * 90) / 100, (_rate(0, 1) * 110) / 100));
        } else {
            // back to the oracle's price, give or take
            uint256 c = tokens[2].balanceOf(pools[1]);
            uint256 b = tokens[1].balanceOf(pools[1]);
            uint256 rate = (_rate(2, 1) * (95 + ((seed >> 8) % 10))) / 100;
            if ((c * rate) / 1 ether > b) tokens[1].mint(pools[1], (c * rate) / 1 ether - b);
            else if ((b * 1 ether) / rate > c) tokens[2].mint(pools[1], (b * 1 ether) / rate - c);
            ForkPair(pools[1]).sync();
        }
    }

    function movePrice(uint256 seed) external {
        uint256 i = seed % 3;
        prices[i] = bound(seed >> 8, (prices[i] * 95) / 100, (prices[i] * 105) / 100) + 1;
        _refresh();
    }

    function wait_(uint256 seed) external {
        vm.warp(block.timestamp + (seed % 4 == 0 ? seed % 30 hours : seed % 2 hours));
        // now and then the feeds stand still
        if ((seed >> 128) % 8 != 0) _refresh();
    }

    function setHook(uint256 seed) external {
        tokens[seed % 3].setHook((seed >> 8) % 2 == 0 ? address(0) : address(intruder));
    }

    function donate(uint256 seed, uint256 amount) external {
        tokens[seed % 3].mint(address(vault), bound(amount, 0, 100 ether));
    }

    // ------------------------------------------------------------------------------------------------- the owner

    /// @notice Limits between none and LIMIT, changed in the middle of a day.
    function configure(uint256 seed) external {
        uint256 limit = ((seed >> 8) % 5) * (LIMIT / 4);
        _refresh();
        if (seed % 9 < 6) _setMarket(seed % 9, (seed >> 16) % 501, limit);
        else _setRoute((seed % 9) - 6, (seed >> 16) % 501, limit);
    }

    function withdraw(uint256 seed, uint256 amount) external {
        uint256 i = seed % 3;
        amount = bound(amount, 0, tokens[i].balanceOf(address(vault)) / 4);
        vm.prank(OWNER);
        (bool done, ) = address(vault).call(abi.encodeCall(ArbVault.withdraw, (address(tokens[i]), amount)));
        if (!done) _break("the owner was refused");
        owners[i] += amount;
        if (tokens[i].balanceOf(OWNER) != owners[i]) _break("the owner got something else");
    }

    // ------------------------------------------------------------------------------------------------- books

    /// @dev Most that the use may lose, times 10,000. Breaks where more than twice the limit left within a day.
    function _book(uint256 which, uint256 token, uint256 amount) private returns (uint256) {
        if (amount == 0) return 0;
        Use[] storage list = uses[which];
        list.push(Use(block.timestamp, amount));
        uint256 sum;
        for (uint256 i = list.length; i > 0 && list[i - 1].at + 1 days >= block.timestamp; --i)
            sum += list[i - 1].amount;
        if (sum > 2 * LIMIT) _break("more than twice the limit in a day");
        return amount * prices[token] * bps[which];
    }

    function _audit(uint256 before, uint256 most) private {
        uint256 afterwards = _value();
        uint256 loss = before > afterwards ? (before - afterwards) * 10_000 : 0;
        if (loss > most) _break("more was lost than the bounds allow");
        (lost, allowed) = (lost + loss, allowed + most);
        for (uint256 i = 0; i < 3; ++i) {
            HookToken t = tokens[i];
            for (uint256 j = 0; j < 3; ++j) {
                if (t.allowance(address(vault), pools[j]) != 0) _break("an allowance stayed");
                if (t.allowance(address(vault), address(bridges[j])) != 0) _break("an allowance stayed");
            }
            uint256 astray = t.balanceOf(address(this)) + t.balanceOf(address(intruder)) + t.balanceOf(NOBODY);
            if (astray != 0) _break("somebody else received a token");
            if (t.balanceOf(OWNER) != owners[i]) _break("the owner received what it did not withdraw");
            if (bridges[i].strayed()) _break("a bridge was told another receiver");
            if (bridges[i].tookMore()) _break("a bridge took more");
        }
        if (intruder.breached()) _break("something was served in the middle of a call");
        if (vault.owner() != OWNER || vault.pendingOwner() != address(0)) _break("the owner changed");
    }

    /// @dev By the oracle: what the vault holds and what its twin will get.
    function _value() private view returns (uint256 sum) {
        for (uint256 i = 0; i < 3; ++i) {
            uint256 amount = tokens[i].balanceOf(address(vault));
            sum += (amount + bridges[i].arrives(address(tokens[i]))) * prices[i];
        }
    }

    function _break(string memory what) private {
        if (bytes(broken).length == 0) broken = what;
    }

    // ------------------------------------------------------------------------------------------------- parts

    /// @dev Dust, about the rest of the limit, or anything.
    function _amount(uint256 seed, uint256 amount, uint256 token) private view returns (uint256) {
        if (seed % 4 == 0) return amount % 1e6;
        if (seed % 4 == 1) return amount % 2 ** 130;
        uint256 worth = (100 ether * prices[1]) / prices[token];
        return amount % (seed % 4 == 2 ? worth : LIMIT + 2);
    }

    function _inTokens(uint256 from, uint256 amount, uint256 to) private view returns (uint256) {
        return amount > type(uint120).max ? 0 : (amount * prices[from]) / prices[to];
    }

    function _rate(uint256 from, uint256 to) private view returns (uint256) {
        return (1 ether * prices[from]) / prices[to];
    }

    function _arm(uint256 which) private {
        intruder.arm(markets[which], routes[0], address(tokens[0]));
    }

    function _refresh() private {
        for (uint256 i = 0; i < 3; ++i) feeds[i].set(int256(prices[i]), block.timestamp, block.timestamp);
    }

    function _market(uint256 i, uint256 bps_, uint256 limit) private view returns (ArbVault.Market memory) {
        (uint256 from, uint256 to) = (i / 2, (i / 2 + 1) % 3);
        if (i % 2 == 1) (from, to) = (to, from);
        VaultPrices.Source memory price = VaultPrices.Source(
            address(feeds[from]),
            address(feeds[to]),
            1 hours,
            1 hours,
            address(0),
            address(0),
            0
        );
        ArbVault.PoolKind kind = i / 2 == 1 ? ArbVault.PoolKind.V2 : ArbVault.PoolKind.V3;
        return
            ArbVault.Market(
                limit == 0 ? ArbVault.PoolKind.None : kind,
                pools[i / 2],
                3000,
                address(tokens[from]),
                address(tokens[to]),
                uint16(bps_),
                uint128(limit),
                price
            );
    }

    function _setMarket(uint256 i, uint256 bps_, uint256 limit) private {
        bps[i] = bps_;
        vm.prank(OWNER);
        markets[i] = vault.setMarket(_market(i, bps_, limit));
    }

    function _setRoute(uint256 i, uint256 bps_, uint256 limit) private {
        bps[6 + i] = bps_;
        ArbVault.Route memory r = ArbVault.Route(
            limit == 0
                ? ArbVault.BridgeKind.None
                : [ArbVault.BridgeKind.Across, ArbVault.BridgeKind.Cctp, ArbVault.BridgeKind.Stargate][i],
            address(bridges[i]),
            address(tokens[i]),
            bytes32(uint256(uint160(address(tokens[i])))),
            10,
            uint16(bps_),
            uint128(limit),
            3600
        );
        vm.prank(OWNER);
        routes[i] = vault.setRoute(r);
    }
}
