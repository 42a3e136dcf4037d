// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IAaveV3Pool} from "../../contracts/interfaces/IAaveV3Pool.sol";
import {IBalancerV2Vault} from "../../contracts/interfaces/IBalancerV2Vault.sol";
import {IERC20} from "../../contracts/interfaces/IERC20.sol";

/// @notice Borrows from every lender and gives back what it owes, nothing else.
contract FlashBorrower {
    event Charged(uint256 amount, uint256 fee);

    function aave(address pool, address token, uint256 amount) external {
        IAaveV3Pool(pool).flashLoanSimple(address(this), token, amount, "", 0);
    }

    function executeOperation(
        address token,
        uint256 amount,
        uint256 premium,
        address,
        bytes calldata
    ) external returns (bool) {
        emit Charged(amount, premium);
        IERC20(token).approve(msg.sender, amount + premium);
        return true;
    }

    function balancer(address vault, address token, uint256 amount) external {
        address[] memory tokens = new address[](1);
        uint256[] memory amounts = new uint256[](1);
        (tokens[0], amounts[0]) = (token, amount);
        IBalancerV2Vault(vault).flashLoan(address(this), tokens, amounts, "");
    }

    function receiveFlashLoan(
        address[] calldata tokens,
        uint256[] calldata amounts,
        uint256[] calldata fees,
        bytes calldata
    ) external {
        emit Charged(amounts[0], fees[0]);
        IERC20(tokens[0]).transfer(msg.sender, amounts[0] + fees[0]);
    }
}
