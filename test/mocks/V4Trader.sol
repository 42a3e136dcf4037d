// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC20} from "../../contracts/interfaces/IERC20.sol";

struct V4Key {
    address currency0;
    address currency1;
    uint24 fee;
    int24 tickSpacing;
    address hooks;
}

interface IManagerForTests {
    struct Position {
        int24 tickLower;
        int24 tickUpper;
        int256 liquidityDelta;
        bytes32 salt;
    }

    struct Swap {
        bool zeroForOne;
        int256 amountSpecified;
        uint160 sqrtPriceLimitX96;
    }

    function unlock(bytes calldata data) external returns (bytes memory);
    function modifyLiquidity(V4Key memory, Position memory, bytes calldata) external returns (int256, int256);
    function swap(V4Key memory, Swap memory, bytes calldata) external returns (int256);
    function sync(address currency) external;
    function settle() external payable returns (uint256);
    function take(address currency, address to, uint256 amount) external;
}

/// @notice Adds liquidity to Uniswap V4 pools of two ERC-20s and trades with them, out of its own tokens.
contract V4Trader {
    IManagerForTests private immutable MANAGER;

    constructor(address manager) {
        MANAGER = IManagerForTests(manager);
    }

    function add(V4Key calldata key, int24 lower, int24 upper, int256 liquidity) external {
        IManagerForTests.Position memory position = IManagerForTests.Position(lower, upper, liquidity, 0);
        MANAGER.unlock(abi.encode(key, true, abi.encode(position)));
    }

    /// @return amountOut What an exact input brings; a static call of this quotes it.
    function swap(V4Key calldata key, bool zeroForOne, uint256 amountIn) external returns (uint256 amountOut) {
        uint160 limit = zeroForOne ? 4295128740 : 1461446703485210103287273052203988822378723970341;
        IManagerForTests.Swap memory terms = IManagerForTests.Swap(zeroForOne, -int256(amountIn), limit);
        int256 delta = abi.decode(MANAGER.unlock(abi.encode(key, false, abi.encode(terms))), (int256));
        return uint256(uint128(zeroForOne ? int128(delta) : int128(delta >> 128)));
    }

    function unlockCallback(bytes calldata data) external returns (bytes memory) {
        require(msg.sender == address(MANAGER), "not the manager");
        (V4Key memory key, bool isLiquidity, bytes memory rest) = abi.decode(data, (V4Key, bool, bytes));
        int256 delta;
        if (isLiquidity) {
            (delta, ) = MANAGER.modifyLiquidity(key, abi.decode(rest, (IManagerForTests.Position)), "");
        } else {
            delta = MANAGER.swap(key, abi.decode(rest, (IManagerForTests.Swap)), "");
        }
        _balance(key.currency0, int128(delta >> 128));
        _balance(key.currency1, int128(delta));
        return abi.encode(delta);
    }

    function _balance(address currency, int128 delta) private {
        if (delta > 0) MANAGER.take(currency, address(this), uint128(delta));
        if (delta < 0) {
            MANAGER.sync(currency);
            IERC20(currency).transfer(address(MANAGER), uint128(-delta));
            MANAGER.settle();
        }
    }
}
