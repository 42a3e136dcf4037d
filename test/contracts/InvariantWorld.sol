// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC20} from "../../contracts/interfaces/IERC20.sol";
import {HookToken} from "../mocks/Tokens.sol";

/// @notice The executor as everyone sees it, whatever its source looks like.
interface IExecutor {
    function execute(bytes calldata plan) external;
    function rescue(address token, uint256 amount) external;
    function rescueNative(uint256 amount) external;
    function sweep(address token) external;
    function transferOwnership(address newOwner) external;
    function acceptOwnership() external;
    function owner() external view returns (address);
    function pendingOwner() external view returns (address);
    function operators() external view returns (address[] memory);
}

/// @notice Trades at one price, with the interface, the order of payments and the check of a Uniswap V3 pool.
contract LinePool {
    address public immutable token0;
    address public immutable token1;
    /// @dev token1 for 1e18 of token0
    uint256 public price;
    uint256 private constant KEPT = 997_000;

    constructor(address token0_, address token1_, uint256 price_) {
        token0 = token0_;
        token1 = token1_;
        price = price_;
    }

    function setPrice(uint256 price_) external {
        price = price_;
    }

    function quoteOut(bool zeroForOne, uint256 amountIn) public view returns (uint256) {
        uint256 kept = (amountIn * KEPT) / 1e6;
        return zeroForOne ? (kept * price) / 1e18 : (kept * 1e18) / price;
    }

    function quoteIn(bool zeroForOne, uint256 amountOut) public view returns (uint256) {
        uint256 kept = (zeroForOne ? (amountOut * 1e18) / price : (amountOut * price) / 1e18) + 1;
        return (kept * 1e6) / KEPT + 1;
    }

    function swap(address to, bool zeroForOne, int256 amount, uint160, bytes calldata data) external {
        require(amount != 0, "AS");
        (uint256 amountIn, uint256 amountOut) = amount > 0
            ? (uint256(amount), quoteOut(zeroForOne, uint256(amount)))
            : (quoteIn(zeroForOne, uint256(-amount)), uint256(-amount));
        (address tokenIn, address tokenOut) = zeroForOne ? (token0, token1) : (token1, token0);
        IERC20(tokenOut).transfer(to, amountOut);
        uint256 before = IERC20(tokenIn).balanceOf(address(this));
        (int256 a, int256 b) = (int256(amountIn), -int256(amountOut));
        if (!zeroForOne) (a, b) = (b, a);
        _callBack(a, b, data);
        require(IERC20(tokenIn).balanceOf(address(this)) >= before + amountIn, "IIA");
    }

    function _callBack(int256 a, int256 b, bytes calldata data) private {
        (bool success, bytes memory result) = msg.sender.call(
            abi.encodeWithSignature("uniswapV3SwapCallback(int256,int256,bytes)", a, b, data)
        );
        if (!success) {
            assembly ("memory-safe") {
                revert(add(result, 32), mload(result))
            }
        }
    }
}

/// @notice Does nothing, and answers every call with nothing.
contract IdlePool {
    fallback() external {}
}

interface IPlanClock {
    function running() external view returns (bool);
}

/// @notice The target of a token's hook. While a plan runs it tries everything, with all rights that it has.
contract Reenterer {
    IPlanClock private immutable clock;
    address private immutable executor;
    bytes private plan;
    /// @notice True if something was served that must not be.
    bool public breached;
    uint256 public attempts;
    bool private inside;

    constructor(address executor_) {
        clock = IPlanClock(msg.sender);
        executor = executor_;
    }

    function setPlan(bytes calldata plan_) external {
        plan = plan_;
    }

    function onTransfer() external {
        if (inside || !clock.running()) return;
        inside = true;
        bytes memory body = plan;
        _try(body);
        _try(abi.encodeCall(IExecutor.execute, (body)));
        _try(abi.encodeWithSignature("uniswapV3SwapCallback(int256,int256,bytes)", int256(1), int256(-1), body));
        _try(abi.encodeWithSignature("uniswapV2Call(address,uint256,uint256,bytes)", this, 1, 0, body));
        _try(abi.encodeCall(IExecutor.rescue, (msg.sender, 1)));
        _try(abi.encodeCall(IExecutor.rescueNative, (0)));
        _try(abi.encodeCall(IExecutor.sweep, (msg.sender)));
        _try(abi.encodeCall(IExecutor.transferOwnership, (address(this))));
        _try(abi.encodeCall(IExecutor.acceptOwnership, ()));
        inside = false;
    }

    function _try(bytes memory data) private {
        ++attempts;
        (bool served, ) = executor.call(data);
        if (served) breached = true;
    }
}

/// @notice WETH9 in short, with hooks as an ERC-777 token has them.
contract HookWeth is HookToken {
    receive() external payable {}

    function deposit() external payable {
        balanceOf[msg.sender] += msg.value;
    }

    function withdraw(uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        (bool sent, ) = msg.sender.call{value: amount}("");
        require(sent, "HookWeth: OUT");
    }
}

/// @notice Uniswap V4's PoolManager in short: unlock, debts and credits, swaps at a price that the pool's fee names. It keeps its
/// rules, but that a hooked pool may book what it likes.
contract MiniManager {
    struct Key {
        address currency0;
        address currency1;
        uint24 fee;
        int24 tickSpacing;
        address hooks;
    }
    struct Swap {
        bool zeroForOne;
        int256 amount;
        uint160 limit;
    }

    mapping(address => int256) private deltas;
    uint256 private open;
    address private user;
    address private synced;
    uint256 private reserve;

    receive() external payable {}

    function unlock(bytes calldata data) external returns (bytes memory result) {
        require(user == address(0), "AlreadyUnlocked");
        user = msg.sender;
        (bool success, bytes memory answer) = msg.sender.call(abi.encodeWithSignature("unlockCallback(bytes)", data));
        if (!success) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
        require(open == 0, "CurrencyNotSettled");
        user = address(0);
        return abi.decode(answer, (bytes));
    }

    function swap(Key calldata key, Swap calldata params, bytes calldata data) external returns (int256 delta) {
        require(params.amount < 0, "exact input");
        uint256 amountIn = uint256(-params.amount);
        uint256 amountOut = MiniPrice.quote(key.fee, key.tickSpacing, params.zeroForOne, amountIn);
        if (key.hooks != address(0)) amountOut = (amountOut * (data.length > 0 ? uint8(data[0]) : 0)) / 128;
        (int256 amount0, int256 amount1) = params.zeroForOne
            ? (-int256(amountIn), int256(amountOut))
            : (int256(amountOut), -int256(amountIn));
        _book(key.currency0, amount0);
        _book(key.currency1, amount1);
        return (amount0 << 128) | int256(uint256(uint128(int128(amount1))));
    }

    function take(address currency, address to, uint256 amount) external {
        _book(currency, -int256(amount));
        if (currency == address(0)) {
            (bool sent, ) = to.call{value: amount}("");
            require(sent, "take");
        } else require(IERC20(currency).transfer(to, amount), "take");
    }

    function sync(address currency) external {
        synced = currency;
        reserve = currency == address(0) ? 0 : IERC20(currency).balanceOf(address(this));
    }

    function settle() external payable returns (uint256 paid) {
        paid = synced == address(0) ? msg.value : IERC20(synced).balanceOf(address(this)) - reserve;
        _book(synced, int256(paid));
        synced = address(0);
    }

    /// @dev Positive is a credit of whoever unlocked.
    function _book(address currency, int256 amount) private {
        require(msg.sender == user, "ManagerLocked");
        if (amount == 0) return;
        int256 before = deltas[currency];
        deltas[currency] = before + amount;
        if (before == 0) ++open;
        else if (before + amount == 0) --open;
    }
}

/// @notice The fee of a V4 pool is its price: hundredths of currency1 for one of currency0 with a tick spacing of 10, else the other
/// way round.
library MiniPrice {
    function quote(uint24 fee, int24 spacing, bool zeroForOne, uint256 amountIn) internal pure returns (uint256) {
        return zeroForOne == (spacing == 10) ? (amountIn * fee) / 100 : (amountIn * 100) / fee;
    }
}
