// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC20} from "../../contracts/interfaces/IERC20.sol";

interface IV3PoolForTests {
    function token0() external view returns (address);
    function token1() external view returns (address);
    function mint(address, int24, int24, uint128, bytes calldata) external returns (uint256, uint256);
    function swap(address, bool, int256, uint160, bytes calldata) external returns (int256, int256);
}

/// @notice Adds liquidity to V3 pools and trades with them, out of its own tokens.
contract PoolTrader {
    function mint(address pool, int24 lower, int24 upper, uint128 liquidity) external {
        IV3PoolForTests(pool).mint(address(this), lower, upper, liquidity, "");
    }

    function swap(address pool, bool zeroForOne, int256 amount) external {
        uint160 limit = zeroForOne ? 4295128740 : 1461446703485210103287273052203988822378723970341;
        IV3PoolForTests(pool).swap(address(this), zeroForOne, amount, limit, "");
    }

    function uniswapV3MintCallback(uint256 amount0, uint256 amount1, bytes calldata) external {
        if (amount0 > 0) IERC20(IV3PoolForTests(msg.sender).token0()).transfer(msg.sender, amount0);
        if (amount1 > 0) IERC20(IV3PoolForTests(msg.sender).token1()).transfer(msg.sender, amount1);
    }

    function uniswapV3SwapCallback(int256 amount0, int256 amount1, bytes calldata) external {
        if (amount0 > 0) IERC20(IV3PoolForTests(msg.sender).token0()).transfer(msg.sender, uint256(amount0));
        if (amount1 > 0) IERC20(IV3PoolForTests(msg.sender).token1()).transfer(msg.sender, uint256(amount1));
    }
}

/// @notice A V2 fork with a fee of its own and its own callback name. Its K check has the form of UniswapV2Pair's.
contract ForkPair {
    address public immutable token0;
    address public immutable token1;
    uint256 public immutable feePips;
    uint112 private reserve0;
    uint112 private reserve1;

    constructor(address token0_, address token1_, uint256 feePips_) {
        token0 = token0_;
        token1 = token1_;
        feePips = feePips_;
    }

    function sync() public {
        reserve0 = uint112(IERC20(token0).balanceOf(address(this)));
        reserve1 = uint112(IERC20(token1).balanceOf(address(this)));
    }

    function getReserves() external view returns (uint112, uint112, uint32) {
        return (reserve0, reserve1, 0);
    }

    function swap(uint256 out0, uint256 out1, address to, bytes calldata data) external {
        require(out0 < reserve0 && out1 < reserve1, "ForkPair: LIQUIDITY");
        if (out0 > 0) IERC20(token0).transfer(to, out0);
        if (out1 > 0) IERC20(token1).transfer(to, out1);
        if (data.length > 0) {
            (bool success, ) = to.call(
                abi.encodeWithSignature("forkCall(address,uint256,uint256,bytes)", msg.sender, out0, out1, data)
            );
            require(success, "ForkPair: CALLBACK");
        }
        uint256 b0 = IERC20(token0).balanceOf(address(this));
        uint256 b1 = IERC20(token1).balanceOf(address(this));
        uint256 in0 = b0 > reserve0 - out0 ? b0 - (reserve0 - out0) : 0;
        uint256 in1 = b1 > reserve1 - out1 ? b1 - (reserve1 - out1) : 0;
        require(in0 > 0 || in1 > 0, "ForkPair: INPUT");
        require(
            (b0 * 1e6 - in0 * feePips) * (b1 * 1e6 - in1 * feePips) >= uint256(reserve0) * reserve1 * 1e12,
            "ForkPair: K"
        );
        sync();
    }
}

/// @notice A lender with the callback of Balancer V2's vault; its fee can be set.
contract BalancerLender {
    uint256 public fee;

    function setFee(uint256 fee_) external {
        fee = fee_;
    }

    function flashLoan(
        address recipient,
        address[] calldata tokens,
        uint256[] calldata amounts,
        bytes calldata userData
    ) external {
        uint256[] memory fees = new uint256[](1);
        fees[0] = fee;
        IERC20 token = IERC20(tokens[0]);
        uint256 before = token.balanceOf(address(this));
        token.transfer(recipient, amounts[0]);
        IFlashLoanRecipient(recipient).receiveFlashLoan(tokens, amounts, fees, userData);
        require(token.balanceOf(address(this)) >= before + fee, "BAL#515");
    }
}

/// @notice Lends like Aave V3: takes its money itself, by an allowance.
contract PullLender {
    function flashLoanSimple(address to, address token, uint256 amount, bytes calldata params, uint16) external {
        uint256 premium = amount / 2000;
        IERC20(token).transfer(to, amount);
        (bool success, bytes memory answer) = to.call(
            abi.encodeWithSignature(
                "executeOperation(address,uint256,uint256,address,bytes)",
                token,
                amount,
                premium,
                msg.sender,
                params
            )
        );
        if (!success) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
        require(abi.decode(answer, (bool)), "13");
        IERC20(token).transferFrom(to, address(this), amount + premium);
    }
}

interface IFlashLoanRecipient {
    function receiveFlashLoan(
        address[] calldata tokens,
        uint256[] calldata amounts,
        uint256[] calldata fees,
        bytes calldata userData
    ) external;
}
