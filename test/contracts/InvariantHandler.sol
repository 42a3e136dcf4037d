// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {BalancerLender, ForkPair, PullLender} from "../mocks/Pools.sol";
import {HookToken} from "../mocks/Tokens.sol";
import {HostilePool} from "./ArbExecutor.t.sol";
import {InvariantPlans} from "./InvariantPlans.sol";
import {HookWeth, IdlePool, IExecutor, IPlanClock, LinePool, MiniManager, Reenterer} from "./InvariantWorld.sol";

/// @notice Does to an executor, in any order, what its operators, its owner, pools, lenders, tokens and strangers may do, and
/// keeps the books of what it must still have. The fuzzer chooses the functions and their arguments.
/// Every action ends in `_audit`, in the same transaction: what leaked into transient storage would show there.
abstract contract InvariantHandler is InvariantPlans, IPlanClock {
    /// @dev never an owner, unlike the actors
    address private constant NOBODY = address(0x5747);
    address private constant MANAGER = 0x000000000004444c5dc75cB358380D2e3dE08A90;
    IExecutor public immutable executor;
    /// @dev What each token's balance was after the last action, and the native one.
    uint256[3] internal floors;
    uint256 private nativeFloor;
    address internal expectedOwner;
    address private expectedPending;

    bool public running;
    /// @notice The first promise that was broken; empty if none was.
    string public broken;
    /// @notice Plans that landed, by funding.
    uint256[4] public landed;
    uint256 public hostileLanded;
    /// @notice Plans with guards that landed, and cycles of the V4 format.
    uint256 public guardedLanded;
    uint256 public v4Landed;
    uint256 public calls;

    HostilePool[2] private hostile;
    IdlePool[2] private idle;
    Reenterer public operatorHook;
    Reenterer public ownerHook;
    address[4] private actors;

    constructor() {
        // Ethereum, whose wrapped native token is the first of the tokens
        vm.chainId(1);
        vm.etch(WETH, address(new HookWeth()).code);
        vm.etch(MANAGER, address(new MiniManager()).code);
        tokens[0] = HookToken(WETH);
        for (uint256 i = 1; i < 3; ++i) tokens[i] = new HookToken();
        address[] memory list = new address[](2);
        // the hook that is an operator is made right after the executor, which must know it
        bytes32 next = keccak256(abi.encodePacked(hex"d694", address(this), uint8(6)));
        list[0] = address(this);
        list[1] = address(uint160(uint256(next)));
        executor = IExecutor(_deploy(address(0xdad), list));
        operatorHook = new Reenterer(address(executor));
        assertTrue(address(operatorHook) == list[1], "address of the second operator");
        ownerHook = new Reenterer(address(executor));
        actors = [address(0xdad), address(0xb0b), address(ownerHook), address(0xbad)];
        expectedOwner = address(0xdad);

        address p = address(tokens[0]);
        address x = address(tokens[1]);
        address y = address(tokens[2]);
        pools = [
            address(new ForkPair(p, x, 3000)),
            address(new ForkPair(x, p, 3000)),
            address(new LinePool(p, x, 2060 ether)),
            address(new LinePool(x, p, 0.000515 ether)),
            address(new ForkPair(x, y, 3000)),
            address(new LinePool(y, x, 1 ether)),
            address(new ForkPair(y, p, 3000)),
            address(new LinePool(y, p, 0.000515 ether))
        ];
        pull = new PullLender();
        balancer = new BalancerLender();
        for (uint256 i = 0; i < 2; ++i) {
            hostile[i] = new HostilePool(tokens[0], tokens[1]);
            idle[i] = new IdlePool();
        }
        for (uint256 i = 0; i < 8; ++i) {
            ForkPair pool = ForkPair(pools[i]);
            bool line = _isLine(i);
            HookToken(pool.token0()).mint(pools[i], _depth(pool.token0(), i) * (line ? 1e6 : 1));
            HookToken(pool.token1()).mint(pools[i], _depth(pool.token1(), i) * (line ? 1e6 : 1));
            if (!line) pool.sync();
        }
        tokens[0].mint(address(pull), 1e9 ether);
        tokens[0].mint(address(balancer), 1e9 ether);
        for (uint256 i = 0; i < 3; ++i) {
            tokens[i].mint(address(executor), 1000 ether);
            floors[i] = 1000 ether;
        }
        vm.deal(address(executor), 1 ether);
        nativeFloor = 1 ether;
        vm.deal(WETH, 1e9 ether);
        vm.deal(MANAGER, 1e9 ether);
        for (uint256 i = 0; i < 3; ++i) tokens[i].mint(MANAGER, 1e12 ether);
    }

    /// @dev Makes the executor that this is about.
    function _deploy(address owner, address[] memory operators) internal virtual returns (address);

    modifier audited() {
        ++calls;
        _;
        _audit();
    }

    // ---------------------------------------------------------------------------------------------------- plans

    /// @notice A plan as the driver would make it, over pools that keep their rules.
    function trade(uint256 seed, uint256 amount, uint16 excess) external audited {
        amount = bound(amount, 1e9, 5 ether);
        (bytes memory plan, uint256 gain) = _livePlan(seed, amount);
        if (_runExact(plan, seed, gain, excess)) ++landed[(seed >> 8) % 4];
    }

    /// @notice A cycle of the V4 format, over a manager and pools that keep their rules, and hooks that do not.
    function v4Cycle(uint256 seed, uint256 amount, uint16 excess) external audited {
        amount = bound(amount, 1e9, 5 ether);
        (bytes memory plan, uint256 gain) = _v4Plan(seed, amount);
        if (_runExact(plan, seed, gain, excess)) ++v4Landed;
    }

    /// @dev Adds least profit and guards to a plan, runs it, and compares what is there with what was promised.
    function _runExact(bytes memory plan, uint256 seed, uint256 gain, uint16 excess) private returns (bool done) {
        (bytes memory guards, uint256 tip) = _guardsOf(seed, gain);
        uint256 needed = (seed >> 40) % 2 == 0 ? 0 : (gain > tip ? gain - tip : 0) + (excess % 2);
        if (guards.length > 0) plan[0] |= 0x04;
        uint256 floor = floors[0];
        uint256 owners = tokens[0].balanceOf(expectedOwner);
        done = _runAny(bytes.concat(plan, bytes12(uint96(needed)), guards));
        if (!done) return false;
        owners = tokens[0].balanceOf(expectedOwner) - owners;
        uint256 left = tokens[0].balanceOf(address(executor));
        if (left + owners < floor + needed) _break("landed below the least profit");
        if (owners > 0 && left != 1) _break("a sweep that is not one");
        if (guards.length > 0) ++guardedLanded;
    }

    /// @notice Plans with pools and lenders that do what they like.
    function hostilePlan(uint256 seed, uint96 amountIn, uint96[3] calldata amounts, uint16 needed) external audited {
        hostile[0].setSeed(uint256(keccak256(abi.encode(seed, 0))));
        hostile[1].setSeed(uint256(keccak256(abi.encode(seed, 1))));
        uint256 hops = 2 + (seed % 2);
        uint256 kinds = (seed >> 8) & ((1 << hops) - 1);
        uint256 pivot = hops - 1;
        if (kinds != 0) while ((kinds >> pivot) & 1 == 0) --pivot;
        uint256 funding = (seed >> 16) % 4;
        uint256 adaptive = (seed >> 24) & 1;
        bytes memory plan = abi.encodePacked(
            uint8(0xa2 | adaptive),
            uint8((funding << 6) | (hops << 3) | pivot),
            uint8(kinds),
            uint8(seed >> 32),
            amountIn % 2000 ether
        );
        for (uint256 i = 0; i < hops; ++i) {
            // now and then a live pool among them
            uint256 which = (seed >> (40 + 8 * i)) % 5;
            address pool = which < 3 ? address(hostile[which % 2]) : pools[(seed >> (80 + 8 * i)) % 8];
            plan = abi.encodePacked(plan, pool, adaptive == 1 ? amounts[i] % 1e6 : amounts[i]);
        }
        plan = abi.encodePacked(plan, address(tokens[(seed >> 160) % 3]));
        if (funding >= 2)
            plan = abi.encodePacked(plan, address(hostile[(seed >> 168) % 2]), amounts[0], uint96(needed));
        if (_run(abi.encodePacked(plan, uint96(needed % 4)))) ++hostileLanded;
    }

    /// @notice Bytes that begin like a plan, and bytes that do not.
    function garbage(uint8 first, bytes calldata rest, bool wrapped) external audited {
        bytes memory plan = bytes.concat(bytes1(first % 4 == 0 ? first : 0xa0 | (first & 15)), rest);
        // an operator may sweep where the contract has that; nothing else of these is the owner's
        if (selectorOf(plan) == IExecutor.sweep.selector) return;
        _runAny(wrapped ? abi.encodeCall(IExecutor.execute, (plan)) : plan);
    }

    // ------------------------------------------------------------------------------------------------- strangers

    /// @notice Callbacks and plans from those who are not operators.
    function stranger(uint256 seed, uint256 amount, bytes calldata data) external audited {
        (bytes memory plan, ) = _livePlan(seed, 1 ether);
        bytes memory body = seed % 2 == 0 ? plan : data;
        uint256 kind = (seed >> 240) % 7;
        bytes memory call;
        if (kind == 0) call = bytes.concat(plan, bytes12(0));
        if (kind == 1) call = abi.encodeCall(IExecutor.execute, (bytes.concat(plan, bytes12(0))));
        if (kind == 2)
            call = abi.encodeWithSignature("uniswapV2Call(address,uint256,uint256,bytes)", this, amount, 0, body);
        if (kind == 3) call = abi.encodeWithSignature("uniswapV3SwapCallback(int256,int256,bytes)", amount, 0, body);
        if (kind == 4) {
            call = abi.encodeWithSignature(
                "executeOperation(address,uint256,uint256,address,bytes)",
                tokens[0],
                amount,
                0,
                executor,
                body
            );
        }
        if (kind == 5) call = abi.encodeCall(IExecutor.rescue, (address(tokens[seed % 3]), 1));
        if (kind == 6) call = abi.encodeCall(IExecutor.sweep, (address(tokens[seed % 3])));
        address[3] memory callers = [NOBODY, pools[seed % 8], address(hostile[0])];
        vm.prank(callers[(seed >> 128) % 3]);
        (bool served, ) = address(executor).call(call);
        if (served) _break("a stranger was served");
    }

    function strangersLoan(uint256 seed) external audited {
        (bytes memory plan, ) = _livePlan(seed, 1 ether);
        vm.prank(NOBODY);
        (bool served, ) = address(pull).call(
            abi.encodeCall(PullLender.flashLoanSimple, (address(executor), address(tokens[0]), 1 ether, plan, 0))
        );
        if (served) _break("a stranger's loan was served");
    }

    function donate(uint256 token, uint256 amount) external audited {
        tokens[token % 3].mint(address(executor), bound(amount, 0, 10 ether));
    }

    function donateNative(uint256 amount) external audited {
        vm.deal(address(executor), address(executor).balance + bound(amount, 0, 1 ether));
    }

    // --------------------------------------------------------------------------------------------------- the world

    function movePrice(uint256 which, uint256 amount) external audited {
        which %= 8;
        if (_isLine(which)) {
            uint256 price = LinePool(pools[which]).price();
            uint256 middle =
                which == 2
                    ? 2000 ether
                    : which == 5
                        ? 1 ether
                        : 0.0005 ether;
            LinePool(pools[which]).setPrice(bound(amount ^ price, (middle * 94) / 100, (middle * 106) / 100));
        } else {
            ForkPair pool = ForkPair(pools[which]);
            HookToken token = HookToken(amount % 2 == 0 ? pool.token0() : pool.token1());
            token.mint(address(pool), bound(amount, 0, token.balanceOf(address(pool)) / 100));
            pool.sync();
        }
    }

    function setHook(uint256 token, uint8 kind) external audited {
        address[3] memory hooks = [address(0), address(operatorHook), address(ownerHook)];
        tokens[token % 3].setHook(hooks[kind % 3]);
    }

    function setFee(uint256 fee) external audited {
        balancer.setFee(fee % 1e15);
    }

    function nextBlock(uint8 blocks) external audited {
        vm.roll(block.number + blocks);
        vm.warp(block.timestamp + uint256(blocks) * 12);
    }

    // ------------------------------------------------------------------------------------------------------- roles

    function rescue(uint256 who, uint256 token, uint256 amount) external audited {
        (address caller, uint256 i) = (actors[who % 4], token % 3);
        amount = amount % 16 == 0 ? type(uint256).max : amount % 2 ether;
        uint256 expected = amount == type(uint256).max ? floors[i] : amount;
        uint256 before = tokens[i].balanceOf(expectedOwner);
        bool allowed = caller == expectedOwner && expected <= floors[i];
        vm.prank(caller);
        (bool done, ) = address(executor).call(abi.encodeCall(IExecutor.rescue, (address(tokens[i]), amount)));
        if (done != allowed) _break("rescue: wrong caller, or refused to the owner");
        if (!done) return;
        if (tokens[i].balanceOf(expectedOwner) != before + expected) _break("rescue: not to the owner");
        floors[i] -= expected;
    }

    function rescueNative(uint256 who, uint256 amount) external audited {
        address caller = actors[who % 4];
        amount = bound(amount, 0, nativeFloor);
        // the hook takes no ETH
        bool allowed = caller == expectedOwner && caller != address(ownerHook);
        vm.prank(caller);
        (bool done, ) = address(executor).call(abi.encodeCall(IExecutor.rescueNative, (amount)));
        if (done != allowed) _break("rescueNative: wrong caller, or refused to the owner");
        if (done) nativeFloor -= amount;
    }

    /// @dev Where the contract has it: the owner and the operators, to the owner, all but one unit.
    function sweep(uint256 token) external audited {
        uint256 i = token % 3;
        uint256 before = tokens[i].balanceOf(expectedOwner);
        (bool done, ) = address(executor).call(abi.encodeCall(IExecutor.sweep, (address(tokens[i]))));
        if (!done || floors[i] <= 1) return;
        if (tokens[i].balanceOf(expectedOwner) != before + floors[i] - 1) _break("sweep: not to the owner");
        floors[i] = 1;
    }

    function offerOwnership(uint256 who, uint256 to) external audited {
        address caller = who % 8 == 7 ? address(this) : actors[who % 4];
        address[6] memory targets = [actors[0], actors[1], actors[2], actors[3], address(0), address(operatorHook)];
        address target = targets[to % 6];
        bool allowed = caller == expectedOwner && target != address(operatorHook);
        vm.prank(caller);
        (bool done, ) = address(executor).call(abi.encodeCall(IExecutor.transferOwnership, (target)));
        if (done != allowed) _break("transferOwnership: wrong caller, or refused to the owner");
        if (done) expectedPending = target;
    }

    function acceptOwnership(uint256 who) external audited {
        address caller = who % 8 == 7 ? address(operatorHook) : actors[who % 4];
        bool allowed = caller == expectedPending;
        vm.prank(caller);
        (bool done, ) = address(executor).call(abi.encodeCall(IExecutor.acceptOwnership, ()));
        if (done != allowed) _break("acceptOwnership: wrong caller, or refused to the right one");
        if (done) (expectedOwner, expectedPending) = (caller, address(0));
    }

    // ------------------------------------------------------------------------------------------------------- books

    function _run(bytes memory plan) private returns (bool success) {
        operatorHook.setPlan(plan);
        ownerHook.setPlan(plan);
        running = true;
        (success, ) = address(executor).call(plan);
        running = false;
    }

    /// @dev Runs a plan that may sweep: what the owner got by it is missing rightly.
    function _runAny(bytes memory plan) internal returns (bool done) {
        uint256[3] memory before;
        for (uint256 i = 0; i < 3; ++i) before[i] = tokens[i].balanceOf(expectedOwner);
        done = _run(plan);
        for (uint256 i = 0; i < 3; ++i) {
            uint256 swept = tokens[i].balanceOf(expectedOwner) - before[i];
            if (swept > 0) floors[i] = swept < floors[i] ? floors[i] - swept : 1;
        }
    }

    function _audit() private {
        for (uint256 i = 0; i < 3; ++i) {
            uint256 balance = tokens[i].balanceOf(address(executor));
            if (balance < floors[i]) _break("a balance fell");
            floors[i] = balance;
        }
        if (address(executor).balance < nativeFloor) _break("the ETH fell");
        nativeFloor = address(executor).balance;
        if (operatorHook.breached() || ownerHook.breached()) _break("something was served inside a plan");
        if (executor.owner() != expectedOwner || executor.pendingOwner() != expectedPending) _break("roles");
        // nothing of the last call is left: a pool's callback is a stranger's again, and a plan lands
        vm.prank(pools[2]);
        (bool served, bytes memory refusal) = address(executor).call(
            abi.encodeWithSignature("uniswapV3SwapCallback(int256,int256,bytes)", 1, 0, "")
        );
        if (served || selectorOf(refusal) != bytes4(keccak256("NotOperator()"))) _break("not idle");
        (served, ) = address(executor).call(
            abi.encodePacked(
                hex"a2110000",
                uint96(0),
                address(idle[0]),
                uint96(0),
                address(idle[1]),
                uint96(0),
                address(tokens[0]),
                uint96(0)
            )
        );
        if (!served) _break("the next plan does not run");
    }

    /// @notice True if the executor allows nobody anything.
    function allowsNobody() public view virtual returns (bool) {
        for (uint256 i = 0; i < 3; ++i) {
            uint256 sum = tokens[i].allowance(address(executor), address(pull));
            sum += tokens[i].allowance(address(executor), address(balancer));
            for (uint256 j = 0; j < 8; ++j) sum += tokens[i].allowance(address(executor), pools[j]);
            for (uint256 j = 0; j < 2; ++j) sum += tokens[i].allowance(address(executor), address(hostile[j]));
            if (sum != 0) return false;
        }
        return true;
    }

    function _break(string memory what) internal {
        if (bytes(broken).length == 0) broken = what;
    }
}
