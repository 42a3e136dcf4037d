// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC20} from "../../contracts/interfaces/IERC20.sol";
import {TestToken} from "./Tokens.sol";

/// @notice A stable pair with Solidly's interface: swaps one for one less 5 hundredths of a percent, computed by itself.
contract SolidlyPair {
    address public immutable token0;
    address public immutable token1;
    uint256 private reserve0;
    uint256 private reserve1;

    constructor(address token0_, address token1_) {
        token0 = token0_;
        token1 = token1_;
    }

    function sync() public {
        reserve0 = IERC20(token0).balanceOf(address(this));
        reserve1 = IERC20(token1).balanceOf(address(this));
    }

    function getReserves() external view returns (uint256, uint256, uint256) {
        return (reserve0, reserve1, 0);
    }

    function getAmountOut(uint256 amountIn, address tokenIn) public view returns (uint256) {
        require(tokenIn == token0 || tokenIn == token1, "SolidlyPair: TOKEN");
        return (amountIn * 9995) / 10000;
    }

    function swap(uint256 out0, uint256 out1, address to, bytes calldata data) external {
        require(data.length == 0, "SolidlyPair: DATA");
        if (out0 > 0) IERC20(token0).transfer(to, out0);
        if (out1 > 0) IERC20(token1).transfer(to, out1);
        uint256 in0 = IERC20(token0).balanceOf(address(this)) + out0 - reserve0;
        uint256 in1 = IERC20(token1).balanceOf(address(this)) + out1 - reserve1;
        require(out0 <= getAmountOut(in1, token1) && out1 <= getAmountOut(in0, token0), "SolidlyPair: K");
        sync();
    }
}

/// @notice Curve's forms of `exchange` over two coins at a fixed rate. A coin that is WETH may be paid and given as ETH.
contract CurveMock {
    address[2] public coins;
    /// @dev Output per input of coin 0, in millionths.
    uint256 private immutable RATE;
    bool public lazy;

    constructor(address coin0, address coin1, uint256 rate) payable {
        (coins[0], coins[1], RATE) = (coin0, coin1, rate);
    }

    receive() external payable {}

    /// @notice From now on takes nothing and gives nothing.
    function setLazy() external {
        lazy = true;
    }

    function exchange(int128 i, int128 j, uint256 dx, uint256) external payable {
        _exchange(uint256(int256(i)), uint256(int256(j)), dx, false);
    }

    function exchange(uint256 i, uint256 j, uint256 dx, uint256) external payable returns (uint256) {
        return _exchange(i, j, dx, false);
    }

    function exchange_underlying(int128 i, int128 j, uint256 dx, uint256) external {
        _exchange(uint256(int256(i)), uint256(int256(j)), dx, false);
    }

    function exchange_underlying(uint256 i, uint256 j, uint256 dx, uint256) external returns (uint256) {
        return _exchange(i, j, dx, false);
    }

    function exchange(uint256 i, uint256 j, uint256 dx, uint256, bool native) external payable returns (uint256) {
        require(native, "CurveMock: NATIVE");
        return _exchange(i, j, dx, true);
    }

    function _exchange(uint256 i, uint256 j, uint256 dx, bool native) private returns (uint256 dy) {
        if (lazy) return 0;
        require(i != j, "CurveMock: COINS");
        if (msg.value > 0) {
            require(native && i == 0 && msg.value == dx, "CurveMock: VALUE");
        } else {
            (bool taken, bytes memory result) = coins[i].call(
                abi.encodeCall(IERC20.transferFrom, (msg.sender, address(this), dx))
            );
            require(taken && (result.length == 0 || abi.decode(result, (bool))), "CurveMock: IN");
        }
        dy = i == 0 ? (dx * RATE) / 1e6 : (dx * 1e6) / RATE;
        if (native && j == 0) {
            (bool sent, ) = msg.sender.call{value: dy}("");
            require(sent, "CurveMock: OUT");
        } else {
            (bool given, ) = coins[j].call(abi.encodeCall(IERC20.transfer, (msg.sender, dy)));
            require(given, "CurveMock: OUT");
        }
    }
}

/// @notice An ERC-4626 vault whose assets per share rise when somebody gives it assets.
contract VaultMock is TestToken {
    TestToken public immutable asset;
    /// @dev Not zero: says that another contract is the share (ERC-7575), and burns that one's.
    VaultMock public other;

    constructor(TestToken asset_) TestToken("SHARE") {
        asset = asset_;
    }

    function setOther(VaultMock other_) external {
        other = other_;
    }

    function share() external view returns (address) {
        return address(other) == address(0) ? address(this) : address(other);
    }

    function deposit(uint256 assets, address receiver) external returns (uint256 shares) {
        shares = totalSupply == 0 ? assets : (assets * totalSupply) / asset.balanceOf(address(this));
        require(asset.transferFrom(msg.sender, address(this), assets), "VaultMock: IN");
        totalSupply += shares;
        balanceOf[receiver] += shares;
    }

    function redeem(uint256 shares, address receiver, address owner) public returns (uint256 assets) {
        if (address(other) != address(0)) return other.redeemFor(shares, receiver, owner);
        require(owner == msg.sender, "VaultMock: OWNER");
        return _redeem(shares, receiver, owner);
    }

    /// @dev For the vault in front of this one.
    function redeemFor(uint256 shares, address receiver, address owner) external returns (uint256) {
        return _redeem(shares, receiver, owner);
    }

    function _redeem(uint256 shares, address receiver, address owner) private returns (uint256 assets) {
        assets = (shares * asset.balanceOf(address(this))) / totalSupply;
        totalSupply -= shares;
        balanceOf[owner] -= shares;
        require(asset.transfer(receiver, assets), "VaultMock: OUT");
    }
}

interface ILoanReceiver {
    function onMorphoFlashLoan(uint256 assets, bytes calldata data) external;
    function onFlashLoan(address, address, uint256, uint256, bytes calldata) external returns (bytes32);
}

/// @notice Lends like Morpho Blue (for nothing) and ERC-3156 lenders (for a fee).
contract LenderMock {
    uint256 public fee;

    function setFee(uint256 fee_) external {
        fee = fee_;
    }

    function flashLoan(address token, uint256 assets, bytes calldata data) external {
        IERC20(token).transfer(msg.sender, assets);
        ILoanReceiver(msg.sender).onMorphoFlashLoan(assets, data);
        IERC20(token).transferFrom(msg.sender, address(this), assets);
    }

    function flashLoan(address to, address token, uint256 amount, bytes calldata data) external returns (bool) {
        IERC20(token).transfer(to, amount);
        require(
            ILoanReceiver(to).onFlashLoan(msg.sender, token, amount, fee, data) ==
                keccak256("ERC3156FlashBorrower.onFlashLoan"),
            "LenderMock: ANSWER"
        );
        IERC20(token).transferFrom(to, address(this), amount + fee);
        return true;
    }
}

/// @notice Stands in for Balancer V3's vault, whose bytecode no package has: unlock, debts and credits per token, settle, sendTo,
/// and swaps at a fixed rate. Written after IVaultMain.
contract BalancerV3Mock {
    struct SwapParams {
        uint8 kind;
        address pool;
        IERC20 tokenIn;
        IERC20 tokenOut;
        uint256 amountGiven;
        uint256 limit;
        bytes userData;
    }

    mapping(address pool => mapping(IERC20 tokenIn => uint256)) private rates;
    mapping(IERC20 token => int256) private deltas;
    mapping(IERC20 token => uint256) private reserves;
    uint256 private open;
    bool private unlocked;

    /// @param rate Output per 1e18 units of input.
    function setRate(address pool, IERC20 tokenIn, uint256 rate) external {
        rates[pool][tokenIn] = rate;
    }

    function sync(IERC20 token) external {
        reserves[token] = token.balanceOf(address(this));
    }

    struct TokenInfo {
        uint8 tokenType;
        address rateProvider;
        bool paysYieldFees;
    }

    mapping(address pool => IERC20[]) private tokensOf;

    function setTokens(address pool, IERC20[] calldata tokens) external {
        tokensOf[pool] = tokens;
    }

    /// @dev A pool here has all that the vault has.
    function getPoolTokenInfo(
        address pool
    )
        external
        view
        returns (
            IERC20[] memory tokens,
            TokenInfo[] memory tokenInfo,
            uint256[] memory balances,
            uint256[] memory scaled
        )
    {
        tokens = tokensOf[pool];
        require(tokens.length > 0, "PoolNotRegistered");
        tokenInfo = new TokenInfo[](tokens.length);
        balances = scaled = new uint256[](tokens.length);
        for (uint256 i = 0; i < tokens.length; ++i) balances[i] = reserves[tokens[i]];
    }

    /// @notice What a swap would give. Only in calls without a sender, as the vault's queries.
    function query(
        address pool,
        IERC20 tokenIn,
        IERC20 tokenOut,
        uint256 amount
    ) external view returns (uint256 amountOut) {
        // solhint-disable-next-line avoid-tx-origin
        require(tx.origin == address(0), "NotStaticCall");
        amountOut = (amount * rates[pool][tokenIn]) / 1e18;
        require(amountOut > 0 && amountOut <= reserves[tokenOut], "BalancerV3Mock: QUERY");
    }

    /// @dev Calls back with the very bytes that it was given.
    function unlock(bytes calldata data) external {
        unlocked = true;
        (bool success, bytes memory result) = msg.sender.call(data);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(result, 32), mload(result))
            }
        }
        require(open == 0, "BalanceNotSettled");
        unlocked = false;
    }

    function sendTo(IERC20 token, address to, uint256 amount) external {
        _change(token, int256(amount));
        reserves[token] -= amount;
        require(token.transfer(to, amount), "BalancerV3Mock: OUT");
    }

    function settle(IERC20 token, uint256 hint) external returns (uint256 credit) {
        credit = token.balanceOf(address(this)) - reserves[token];
        reserves[token] += credit;
        if (credit > hint) credit = hint;
        _change(token, -int256(credit));
    }

    function swap(
        SwapParams calldata params
    ) external returns (uint256 amountCalculated, uint256 amountIn, uint256 amountOut) {
        uint256 rate = rates[params.pool][params.tokenIn];
        require(rate != 0 && params.userData.length == 0 && params.kind < 2, "BalancerV3Mock: POOL");
        amountIn = params.amountGiven;
        if (params.kind == 0) {
            amountOut = amountCalculated = (amountIn * rate) / 1e18;
            require(amountOut >= params.limit, "SwapLimit");
        } else {
            amountOut = amountIn;
            amountIn = amountCalculated = (amountOut * 1e18) / rate + 1;
            require(amountIn <= params.limit, "SwapLimit");
        }
        _change(params.tokenIn, int256(amountIn));
        _change(params.tokenOut, -int256(amountOut));
    }

    /// @dev Positive is a debt of the caller.
    function _change(IERC20 token, int256 amount) private {
        require(unlocked, "VaultIsNotUnlocked");
        if (amount == 0) return;
        int256 before = deltas[token];
        deltas[token] = before + amount;
        if (before == 0) ++open;
        else if (before + amount == 0) --open;
    }
}

/// @notice Stands in for Balancer V3's Router, of which only the query is wanted.
contract BalancerV3RouterMock {
    BalancerV3Mock private immutable VAULT;

    constructor(BalancerV3Mock vault) {
        VAULT = vault;
    }

    function querySwapSingleTokenExactIn(
        address pool,
        IERC20 tokenIn,
        IERC20 tokenOut,
        uint256 exactAmountIn,
        address,
        bytes calldata userData
    ) external view returns (uint256) {
        require(userData.length == 0, "BalancerV3RouterMock: DATA");
        return VAULT.query(pool, tokenIn, tokenOut, exactAmountIn);
    }
}

/// @notice Takes one percent of each transfer.
contract FeeToken is TestToken {
    constructor() TestToken("FEE") {}

    function _move(address from, address to, uint256 value) internal override {
        super._move(from, to, value);
        uint256 fee = value / 100;
        balanceOf[to] -= fee;
        totalSupply -= fee;
    }
}

/// @notice Halves a holder's balance when told to, in the middle of a transfer too.
contract RebasingToken is TestToken {
    address public victim;

    constructor() TestToken("REBASE") {}

    function setVictim(address victim_) external {
        victim = victim_;
    }

    function _move(address from, address to, uint256 value) internal override {
        super._move(from, to, value);
        if (victim != address(0)) balanceOf[victim] /= 2;
    }
}

/// @notice Answers whatever it is asked with more data than anyone wants, as a success or a failure.
contract ReturnBomb {
    bool public failing;

    function setFailing(bool failing_) external {
        failing = failing_;
    }

    fallback() external payable {
        bool fails = failing;
        assembly ("memory-safe") {
            if fails {
                revert(0, 300000)
            }
            return(0, 300000)
        }
    }
}
