// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ArbVault} from "../../contracts/ArbVault.sol";
import {IERC20} from "../../contracts/interfaces/IERC20.sol";

/// @notice Trades at one price, with the interface and the check of a Uniswap V3 pool.
contract PricedPool {
    address public immutable token0;
    address public immutable token1;
    /// @dev token1 for 1e18 of token0
    uint256 private price;

    constructor(address token0_, address token1_, uint256 price_) {
        (token0, token1, price) = (token0_, token1_, price_);
    }

    function setPrice(uint256 price_) external {
        price = price_;
    }

    function swap(
        address to,
        bool zeroForOne,
        int256 amount,
        uint160,
        bytes calldata
    ) external returns (int256 amount0, int256 amount1) {
        require(amount > 0, "AS");
        uint256 out = zeroForOne ? (uint256(amount) * price) / 1e18 : (uint256(amount) * 1e18) / price;
        (IERC20 tokenIn, IERC20 tokenOut) = zeroForOne
            ? (IERC20(token0), IERC20(token1))
            : (IERC20(token1), IERC20(token0));
        tokenOut.transfer(to, out);
        uint256 before = tokenIn.balanceOf(address(this));
        (amount0, amount1) = zeroForOne ? (amount, -int256(out)) : (-int256(out), amount);
        ArbVault(payable(msg.sender)).uniswapV3SwapCallback(amount0, amount1, "");
        require(tokenIn.balanceOf(address(this)) >= before + uint256(amount), "IIA");
    }
}

/// @notice A market that keeps no rules: gives a share of what would be right, asks for more than was offered, twice, or by another
/// name, and answers anything.
contract LawlessPool {
    address public immutable token0;
    address public immutable token1;
    uint256 private seed;
    uint256 private fair;
    uint256 public paid;

    constructor(address token0_, address token1_) {
        (token0, token1) = (token0_, token1_);
    }

    function setSeed(uint256 seed_, uint256 fair_) external {
        (seed, fair) = (seed_, fair_);
    }

    function swap(
        address to,
        bool zeroForOne,
        int256 amount,
        uint160,
        bytes calldata
    ) external returns (int256, int256) {
        IERC20 out = IERC20(zeroForOne ? token1 : token0);
        uint256 give = (fair * (9_300 + (seed % 1_000))) / 10_000;
        uint256 has = out.balanceOf(address(this));
        out.transfer(to, give < has ? give : has);
        uint256 kind = (seed >> 16) % 8;
        if (kind == 1) _ask(amount + 1, zeroForOne, false);
        else if (kind == 2) _ask(-amount, zeroForOne, false);
        else if (kind == 3) _ask(amount / 2, zeroForOne, true);
        else if (kind != 4) _ask(amount, zeroForOne, kind == 5);
        // a second time, which nobody may serve
        if (kind == 6) _ask(amount, zeroForOne, false);
        return (int256(seed), -int256(seed));
    }

    function _ask(int256 amount, bool zeroForOne, bool pancake) private {
        (int256 a, int256 b) = zeroForOne ? (amount, int256(-1)) : (int256(-1), amount);
        bytes memory data =
            pancake
                ? abi.encodeCall(ArbVault.pancakeV3SwapCallback, (a, b, ""))
                : abi.encodeCall(ArbVault.uniswapV3SwapCallback, (a, b, ""));
        // what it was refused does not stop it
        (bool served, ) = msg.sender.call(data);
        if (served) ++paid;
    }
}

/// @notice An operator that is called by a token in the middle of a call, and tries everything an operator or a pool may do.
contract Intruder {
    ArbVault private immutable vault;
    bytes32[] private path;
    bytes32 private routeId;
    address private token;
    bool public armed;
    bool private inside;
    bool public breached;
    uint256 public attempts;

    constructor(ArbVault vault_) {
        vault = vault_;
    }

    function arm(bytes32 market, bytes32 route, address token_) external {
        path = [market];
        (routeId, token, armed) = (route, token_, true);
    }

    function disarm() external {
        armed = false;
    }

    function onTransfer() external {
        if (!armed || inside) return;
        inside = true;
        _try(abi.encodeCall(ArbVault.swap, (path, 1 ether, 0)));
        uint256 id = uint256(keccak256(abi.encode(attempts, block.timestamp, gasleft())));
        ArbVault.Transfer memory t = ArbVault.Transfer(id, 1 ether, 1 ether, 0, 0, true);
        _try(abi.encodeCall(ArbVault.bridge, (routeId, t)));
        _try(abi.encodeCall(ArbVault.claimAcrossRefund, (routeId)));
        _try(abi.encodeCall(ArbVault.wrap, (token, path[0])));
        _try(abi.encodeCall(ArbVault.uniswapV3SwapCallback, (1, 1, "")));
        _try(abi.encodeCall(ArbVault.pancakeV3SwapCallback, (1, 1, "")));
        _try(abi.encodeCall(ArbVault.withdraw, (token, 1)));
        _try(abi.encodeCall(ArbVault.setOperator, (address(token), true)));
        inside = false;
    }

    function _try(bytes memory data) private {
        ++attempts;
        (bool served, ) = address(vault).call(data);
        if (served) breached = true;
    }
}
