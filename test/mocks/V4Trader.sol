// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC20} from "../../contracts/interfaces/IERC20.sol";

/// @notice The parts of Uniswap V4's PoolManager that tests use.
interface IPoolManager {
    struct PoolKey {
        address currency0;
        address currency1;
        uint24 fee;
        int24 tickSpacing;
        address hooks;
    }

    struct ModifyLiquidityParams {
        int24 tickLower;
        int24 tickUpper;
        int256 liquidityDelta;
        bytes32 salt;
    }

    struct SwapParams {
        bool zeroForOne;
        int256 amountSpecified;
        uint160 sqrtPriceLimitX96;
    }

    function initialize(PoolKey memory key, uint160 sqrtPriceX96) external returns (int24);
    function unlock(bytes calldata data) external returns (bytes memory);
    function modifyLiquidity(
        PoolKey memory key,
        ModifyLiquidityParams memory params,
        bytes calldata data
    ) external returns (int256, int256);
    function swap(PoolKey memory key, SwapParams memory params, bytes calldata data) external returns (int256);
    function updateDynamicLPFee(PoolKey memory key, uint24 fee) external;
    function sync(address currency) external;
    function settle() external payable returns (uint256);
    function take(address currency, address to, uint256 amount) external;
}

/// @notice Adds liquidity to V4 pools and trades in them out of what it holds.
contract V4Trader {
    IPoolManager private immutable manager;

    constructor(IPoolManager manager_) {
        manager = manager_;
    }

    receive() external payable {}

    function add(IPoolManager.PoolKey calldata key, int24 lower, int24 upper, int256 liquidity) external {
        manager.unlock(abi.encode(true, key, lower, upper, liquidity, bytes("")));
    }

    /// @return amount What the swap gives for an exact input. Call it statically to quote.
    function swap(
        IPoolManager.PoolKey calldata key,
        bool zeroForOne,
        int256 amountIn,
        bytes calldata hookData
    ) external returns (uint256 amount) {
        int24 direction = zeroForOne ? int24(1) : int24(0);
        bytes memory result = manager.unlock(abi.encode(false, key, direction, int24(0), amountIn, hookData));
        return abi.decode(result, (uint256));
    }

    function unlockCallback(bytes calldata data) external returns (bytes memory) {
        (bool adds, IPoolManager.PoolKey memory key, int24 a, int24 b, int256 amount, bytes memory hookData) = abi
            .decode(data, (bool, IPoolManager.PoolKey, int24, int24, int256, bytes));
        int256 delta;
        if (adds) {
            (delta, ) = manager.modifyLiquidity(key, IPoolManager.ModifyLiquidityParams(a, b, amount, bytes32(0)), "");
        } else {
            uint160 limit = a == 1 ? 4295128740 : 1461446703485210103287273052203988822378723970341;
            delta = manager.swap(key, IPoolManager.SwapParams(a == 1, -amount, limit), hookData);
        }
        uint256 got = _settle(key.currency0, int128(delta >> 128));
        return abi.encode(got + _settle(key.currency1, int128(delta)));
    }

    function _settle(address currency, int128 amount) private returns (uint256) {
        if (amount > 0) {
            manager.take(currency, address(this), uint128(amount));
            return uint128(amount);
        }
        if (currency == address(0)) {
            manager.settle{value: uint128(-amount)}();
        } else if (amount < 0) {
            manager.sync(currency);
            IERC20(currency).transfer(address(manager), uint128(-amount));
            manager.settle();
        }
        return 0;
    }
}

/// @notice A hook before swaps that sets a dynamic fee, wants to see its data, and may attack the executor meanwhile. Its address
/// must end in 0x80, V4's flag for this callback.
contract V4Hook {
    bytes private wanted;
    uint24 private fee;
    address private target;
    bytes private attack;
    bytes public answer;
    bool public succeeded;

    function set(bytes calldata wanted_, uint24 fee_, address target_, bytes calldata attack_) external {
        (wanted, fee, target, attack) = (wanted_, fee_, target_, attack_);
    }

    function beforeSwap(
        address,
        IPoolManager.PoolKey calldata,
        IPoolManager.SwapParams calldata,
        bytes calldata data
    ) external returns (bytes4, int256, uint24) {
        require(keccak256(data) == keccak256(wanted), "hook data");
        if (target != address(0)) (succeeded, answer) = target.call(attack);
        // bit 22: overrides the fee for this swap
        return (V4Hook.beforeSwap.selector, 0, fee == 0 ? 0 : fee | 0x400000);
    }
}
