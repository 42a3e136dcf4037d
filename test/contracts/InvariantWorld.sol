// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC20} from "../../contracts/interfaces/IERC20.sol";

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
