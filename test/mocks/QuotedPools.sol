// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC20} from "../../contracts/interfaces/IERC20.sol";
import {TestToken} from "./Tokens.sol";

/// @notice A Curve pool by its interface: two coins, 4 hundredths of a percent, x * y = k. Counts coins in int128 or in uint256.
contract CurvePoolMock {
    address[2] public coins;
    bool private immutable CRYPTO;

    constructor(address coin0, address coin1, bool crypto) {
        (coins[0], coins[1], CRYPTO) = (coin0, coin1, crypto);
    }

    function get_dy(int128 i, int128 j, uint256 dx) external view returns (uint256) {
        require(!CRYPTO, "no such function");
        return _dy(uint256(int256(i)), uint256(int256(j)), dx);
    }

    function get_dy(uint256 i, uint256 j, uint256 dx) external view returns (uint256) {
        require(CRYPTO, "no such function");
        return _dy(i, j, dx);
    }

    function exchange(int128 i, int128 j, uint256 dx, uint256 least) external {
        require(!CRYPTO, "no such function");
        _exchange(uint256(int256(i)), uint256(int256(j)), dx, least);
    }

    function exchange(uint256 i, uint256 j, uint256 dx, uint256 least) external returns (uint256) {
        require(CRYPTO, "no such function");
        return _exchange(i, j, dx, least);
    }

    function _dy(uint256 i, uint256 j, uint256 dx) private view returns (uint256) {
        uint256 x = IERC20(coins[i]).balanceOf(address(this));
        uint256 y = IERC20(coins[j]).balanceOf(address(this));
        return (((y * dx) / (x + dx)) * 9996) / 10000;
    }

    function _exchange(uint256 i, uint256 j, uint256 dx, uint256 least) private returns (uint256 dy) {
        dy = _dy(i, j, dx);
        require(dy >= least, "slippage");
        require(IERC20(coins[i]).transferFrom(msg.sender, address(this), dx), "in");
        require(IERC20(coins[j]).transfer(msg.sender, dy), "out");
    }
}

/// @notice A pair of Velodrome V2 or Aerodrome by its interface, and its own factory: the fee leaves the pair, what is left is
/// x * y = k, or, where it is stable, x + y less what a lopsided pair loses.
contract SolidlyPairMock {
    address public immutable token0;
    address public immutable token1;
    bool public immutable stable;
    uint256 private immutable FEE;
    uint256 private reserve0;
    uint256 private reserve1;

    constructor(address token0_, address token1_, bool stable_, uint256 fee) {
        (token0, token1, stable, FEE) = (token0_, token1_, stable_, fee);
    }

    function factory() external view returns (address) {
        return address(this);
    }

    function getFee(address, bool) external view returns (uint256) {
        return FEE;
    }

    function getReserves() external view returns (uint256, uint256, uint256) {
        return (reserve0, reserve1, block.timestamp);
    }

    function getAmountOut(uint256 amountIn, address tokenIn) public view returns (uint256) {
        amountIn -= (amountIn * FEE) / 10000;
        (uint256 x, uint256 y) = tokenIn == token0 ? (reserve0, reserve1) : (reserve1, reserve0);
        // a stable pair as if it had a hundred times as much
        return stable ? (100 * y * amountIn) / (100 * x + amountIn) : (y * amountIn) / (x + amountIn);
    }

    function sync() public {
        reserve0 = IERC20(token0).balanceOf(address(this));
        reserve1 = IERC20(token1).balanceOf(address(this));
    }

    function swap(uint256 out0, uint256 out1, address to, bytes calldata data) external {
        if (out0 > 0) IERC20(token0).transfer(to, out0);
        if (out1 > 0) IERC20(token1).transfer(to, out1);
        if (data.length > 0) IPoolCallee(to).hook(msg.sender, out0, out1, data);
        uint256 in0 = IERC20(token0).balanceOf(address(this)) + out0 - reserve0;
        uint256 in1 = IERC20(token1).balanceOf(address(this)) + out1 - reserve1;
        require(in0 > 0 || in1 > 0, "IIA");
        require(out0 <= getAmountOut(in1, token1) && out1 <= getAmountOut(in0, token0), "K");
        // fees are kept elsewhere
        if (in0 > 0) IERC20(token0).transfer(address(0xfee), (in0 * FEE) / 10000);
        if (in1 > 0) IERC20(token1).transfer(address(0xfee), (in1 * FEE) / 10000);
        sync();
    }
}

interface IPoolCallee {
    function hook(address sender, uint256 amount0, uint256 amount1, bytes calldata data) external;
}

/// @notice A vault by EIP-4626 whose shares are worth more than one of its asset.
contract VaultQuotedMock is TestToken {
    IERC20 public immutable asset;

    constructor(IERC20 asset_) TestToken("SHARE") {
        asset = asset_;
    }

    function totalAssets() public view returns (uint256) {
        return asset.balanceOf(address(this));
    }

    function previewDeposit(uint256 assets) public view returns (uint256) {
        return totalSupply == 0 ? assets : (assets * totalSupply) / totalAssets();
    }

    function previewRedeem(uint256 shares) public view returns (uint256) {
        return (shares * totalAssets()) / totalSupply;
    }

    function deposit(uint256 assets, address receiver) external returns (uint256 shares) {
        shares = previewDeposit(assets);
        require(asset.transferFrom(msg.sender, address(this), assets), "in");
        totalSupply += shares;
        balanceOf[receiver] += shares;
    }

    function redeem(uint256 shares, address receiver, address owner) external returns (uint256 assets) {
        require(owner == msg.sender, "owner");
        assets = previewRedeem(shares);
        totalSupply -= shares;
        balanceOf[owner] -= shares;
        require(asset.transfer(receiver, assets), "out");
    }
}

/// @notice An ERC-3156 lender (EIP-3156) of one token, which charges a share in millionths.
contract FlashLenderMock {
    IERC20 private immutable TOKEN;
    uint256 private immutable SHARE;

    constructor(IERC20 token, uint256 share) {
        (TOKEN, SHARE) = (token, share);
    }

    function maxFlashLoan(IERC20 token) external view returns (uint256) {
        return token == TOKEN ? token.balanceOf(address(this)) : 0;
    }

    function flashFee(IERC20 token, uint256 amount) public view returns (uint256) {
        require(token == TOKEN, "not lent");
        return (amount * SHARE + 999999) / 1000000;
    }

    function flashLoan(IFlashBorrower to, IERC20 token, uint256 amount, bytes calldata data) external returns (bool) {
        uint256 fee = flashFee(token, amount);
        require(token.transfer(address(to), amount), "out");
        bytes32 answer = to.onFlashLoan(msg.sender, address(token), amount, fee, data);
        require(answer == keccak256("ERC3156FlashBorrower.onFlashLoan"), "answer");
        require(token.transferFrom(address(to), address(this), amount + fee), "in");
        return true;
    }
}

interface IFlashBorrower {
    function onFlashLoan(address, address, uint256, uint256, bytes calldata) external returns (bytes32);
}
