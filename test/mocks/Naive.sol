// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IAaveV3Pool} from "../../contracts/interfaces/IAaveV3Pool.sol";
import {IERC20} from "../../contracts/interfaces/IERC20.sol";

interface IRouterV2 {
    function swapExactTokensForTokens(
        uint256 amountIn,
        uint256 amountOutMin,
        address[] calldata path,
        address to,
        uint256 deadline
    ) external returns (uint256[] memory amounts);
}

interface IUniversalRouter {
    /// @dev PoolKey and IV4Router.ExactInputSingleParams of the v4-periphery that Universal Router 2.1 is built with.
    struct PoolKey {
        address currency0;
        address currency1;
        uint24 fee;
        int24 tickSpacing;
        address hooks;
    }

    struct ExactInputSingleParams {
        PoolKey poolKey;
        bool zeroForOne;
        uint128 amountIn;
        uint128 amountOutMinimum;
        bytes hookData;
    }

    function execute(bytes calldata commands, bytes[] calldata inputs, uint256 deadline) external payable;
}

interface IPermit2 {
    function approve(address token, address spender, uint160 amount, uint48 expiration) external;
}

interface IRouterV3 {
    struct ExactInputSingleParams {
        address tokenIn;
        address tokenOut;
        uint24 fee;
        address recipient;
        uint256 deadline;
        uint256 amountIn;
        uint256 amountOutMinimum;
        uint160 sqrtPriceLimitX96;
    }

    function exactInputSingle(ExactInputSingleParams calldata params) external returns (uint256 amountOut);
}

/// @notice The usual design of an arbitrage contract, which the benchmark compares with: Aave lends, routers swap.
contract NaiveArbitrage {
    enum Kind {
        V2,
        V3,
        V4
    }

    /// @param fee In millionths; the V3 and V4 routers need it.
    struct Hop {
        Kind kind;
        address router;
        address tokenIn;
        address tokenOut;
        uint24 fee;
        uint256 amountOutMin;
    }

    /// @dev In storage, as OpenZeppelin's Ownable has it.
    address public owner;
    IAaveV3Pool public immutable lender;

    constructor(address lender_) {
        owner = msg.sender;
        lender = IAaveV3Pool(lender_);
    }

    function execute(address asset, uint256 amount, Hop[] calldata hops, uint256 minProfit) external {
        require(msg.sender == owner, "not the owner");
        lender.flashLoanSimple(address(this), asset, amount, abi.encode(hops, minProfit), 0);
    }

    function executeOperation(
        address asset,
        uint256 amount,
        uint256 premium,
        address initiator,
        bytes calldata params
    ) external returns (bool) {
        require(msg.sender == address(lender) && initiator == address(this), "not our loan");
        (Hop[] memory hops, uint256 minProfit) = abi.decode(params, (Hop[], uint256));
        uint256 current = amount;
        for (uint256 i = 0; i < hops.length; ++i) {
            Hop memory hop = hops[i];
            if (hop.kind == Kind.V2) current = _swapV2(hop, current);
            else if (hop.kind == Kind.V3) current = _swapV3(hop, current);
            else current = _swapV4(hop, current);
        }
        require(current >= amount + premium + minProfit, "no profit");
        IERC20(asset).approve(address(lender), amount + premium);
        return true;
    }

    /// @notice Lets the Universal Router take a token, through Permit2.
    function allow(address permit2, address token, address router) external {
        require(msg.sender == owner, "not the owner");
        IERC20(token).approve(permit2, type(uint256).max);
        IPermit2(permit2).approve(token, router, type(uint160).max, type(uint48).max);
    }

    function _swapV2(Hop memory hop, uint256 amountIn) private returns (uint256) {
        IERC20(hop.tokenIn).approve(hop.router, amountIn);
        address[] memory path = new address[](2);
        (path[0], path[1]) = (hop.tokenIn, hop.tokenOut);
        uint256[] memory amounts = IRouterV2(hop.router).swapExactTokensForTokens(
            amountIn,
            hop.amountOutMin,
            path,
            address(this),
            block.timestamp
        );
        return amounts[1];
    }

    function _swapV3(Hop memory hop, uint256 amountIn) private returns (uint256) {
        IERC20(hop.tokenIn).approve(hop.router, amountIn);
        return
            IRouterV3(hop.router).exactInputSingle(
                IRouterV3.ExactInputSingleParams(
                    hop.tokenIn,
                    hop.tokenOut,
                    hop.fee,
                    address(this),
                    block.timestamp,
                    amountIn,
                    hop.amountOutMin,
                    0
                )
            );
    }

    /// @dev As Uniswap's guide does it: V4_SWAP of SWAP_EXACT_IN_SINGLE, SETTLE_ALL and TAKE_ALL. The tick spacing is that of
    /// the usual fees.
    function _swapV4(Hop memory hop, uint256 amountIn) private returns (uint256) {
        bool zeroForOne = hop.tokenIn < hop.tokenOut;
        bytes[] memory params = new bytes[](3);
        params[0] = abi.encode(
            IUniversalRouter.ExactInputSingleParams(
                IUniversalRouter.PoolKey(
                    zeroForOne ? hop.tokenIn : hop.tokenOut,
                    zeroForOne ? hop.tokenOut : hop.tokenIn,
                    hop.fee,
                    int24(hop.fee / 50),
                    address(0)
                ),
                zeroForOne,
                uint128(amountIn),
                uint128(hop.amountOutMin),
                ""
            )
        );
        params[1] = abi.encode(hop.tokenIn, amountIn);
        params[2] = abi.encode(hop.tokenOut, hop.amountOutMin);
        bytes[] memory inputs = new bytes[](1);
        inputs[0] = abi.encode(hex"060c0f", params);
        uint256 before = IERC20(hop.tokenOut).balanceOf(address(this));
        IUniversalRouter(hop.router).execute(hex"10", inputs, block.timestamp);
        return IERC20(hop.tokenOut).balanceOf(address(this)) - before;
    }
}

/// @notice Calls several contracts in one transaction, with its own capital: pairs of two V2 factories need two routers.
contract Batch {
    address public immutable owner = msg.sender;

    modifier onlyOwner() {
        require(msg.sender == owner, "not the owner");
        _;
    }

    function run(address[] calldata targets, bytes[] calldata data) external onlyOwner {
        for (uint256 i = 0; i < targets.length; ++i) {
            (bool success, ) = targets[i].call(data[i]);
            require(success, "a call of the batch failed");
        }
    }

    function approve(address token, address spender) external onlyOwner {
        IERC20(token).approve(spender, type(uint256).max);
    }

    function approvePermit2(address permit2, address token, address spender) external onlyOwner {
        IPermit2(permit2).approve(token, spender, type(uint160).max, type(uint48).max);
    }
}
